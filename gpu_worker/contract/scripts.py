"""Lua beside the code that runs it: reads the `*.lua` files of a folder, each once.

A file's head says its KEYS, its ARGV and what it returns. Knows no Redis.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path


def lua(folder: Path, *names: str) -> str:
    """One script of these files, in this order: what a file needs stands before it.

    `folder`: found from the module that asks, so that the directory of the process is all one.
    """
    return "".join(_text(folder / f"{name}.lua") for name in names)


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")

"""Reads Lua scripts for Redis, each file once, from the folder of the module that runs them.

The head of a `*.lua` file lists its KEYS, its ARGV and what it returns. Knows no Redis.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path


def lua(folder: Path, *names: str) -> str:
    """Joins these files into one script, in this order: a file comes after those it needs.

    `folder`: an absolute path, so that the process's working directory does not matter.
    """
    return "".join(_text(folder / f"{name}.lua") for name in names)


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")

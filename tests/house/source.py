"""What the house tests read: the tracked files and the strings in them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("server", "gpu_worker", "local", "embed", "bench")


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that git holds or would hold."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = (ROOT / name for name in listed.split("\0") if name)
    return tuple(path for path in paths if path.is_file() and not path.is_symlink())


def sources(suffix: str, *folders: str) -> Iterator[Path]:
    """The tracked files of these folders, vendored ones left out."""
    for path in tracked():
        inside = path.relative_to(ROOT)
        if path.suffix == suffix and inside.parts[0] in folders and "vendor" not in inside.parts:
            yield path


def syntax(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def strings(path: Path) -> Iterator[str]:
    """Every string constant of a Python file."""
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def imported(path: Path) -> Iterator[str]:
    """The full name of every module a Python file imports, wherever in the file."""
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import by full name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)

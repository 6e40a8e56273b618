"""What is kept of reading and drawing is made anew whenever code that it depends on is another."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.gpu_worker.reading import DRAWN_BY, PRODUCT


def _files() -> Iterator[Path]:
    for root in DRAWN_BY:
        yield from [root] if root.is_file() else root.rglob("*.py")


def _imported(path: Path) -> Iterator[str]:
    """Also what is imported only when it is needed."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, path
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file_of(name: str) -> Path:
    """Of a module, or of the module that has this name in it."""
    path = PRODUCT.parent.joinpath(*name.split("."))
    found = [file for one in (path, path.parent) for file in (_beside(one), one / "__init__.py")]
    return next(file for file in found if file.exists())


def _beside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.py")


def test_what_draws_imports_nothing_else_of_the_product() -> None:
    names = {name for path in _files() for name in _imported(path)}
    ours = {name: _file_of(name) for name in names if name.startswith(f"{PRODUCT.name}.")}
    assert len(ours) > 50
    outside = [
        name
        for name, file in ours.items()
        if not any(file == root or root in file.parents for root in DRAWN_BY)
    ]
    assert outside == []

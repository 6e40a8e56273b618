"""Where whatever goes wrong is caught, and nowhere else: at the edges of loops and processes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.source import ROOMS, ROOT, sources, syntax

EDGES = {
    "gpu_worker/__main__.py": "the process",
    "gpu_worker/confined/child.py": "one piece of work in a confined child",
    "gpu_worker/contract/loops.py": "a turn of any loop, and one of many things",
    "server/web/live/__init__.py": "one open socket",
}
BROAD = {"Exception", "BaseException"}


def broad(path: Path) -> Iterator[int]:
    """The lines at which anything is caught."""
    for node in ast.walk(syntax(path)):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type):
            yield node.lineno


def _is_broad(kinds: ast.expr | None) -> bool:
    names = ast.walk(kinds) if kinds else ()
    return kinds is None or any(isinstance(one, ast.Name) and one.id in BROAD for one in names)


def test_whatever_goes_wrong_is_caught_at_an_edge_alone() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): lines
        for path in sources(".py", *ROOMS)
        if (lines := list(broad(path)))
    }
    assert {path: len(lines) for path, lines in found.items()} == dict.fromkeys(EDGES, 1)


def test_each_of_them_says_why() -> None:
    for name in EDGES:
        lines = (ROOT / name).read_text().splitlines()
        assert all("# " in lines[number - 1] for number in broad(ROOT / name)), name

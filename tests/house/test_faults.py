"""docs/faults.md names a test for each of the faults, and each of them is there."""

from __future__ import annotations

import re

from tests.house.source import ROOT

FAULTS = range(1, 25)
ROWS = re.findall(r"^\| (\d+) \|.*\|$", (ROOT / "docs" / "faults.md").read_text(), re.MULTILINE)
NAMED = re.findall(r"`(test_\w+)\.(test_\w+)`", (ROOT / "docs" / "faults.md").read_text())


def test_every_fault_has_its_row() -> None:
    assert list(map(int, ROWS)) == list(FAULTS)


def test_every_test_it_names_is_there() -> None:
    def is_there(file: str, name: str) -> bool:
        path = ROOT / "tests" / "faults" / f"{file}.py"
        return path.exists() and f"\ndef {name}(" in path.read_text()

    assert NAMED
    assert [pair for pair in NAMED if not is_there(*pair)] == []


def test_it_names_every_test_that_tells_of_a_fault() -> None:
    for path in (ROOT / "tests" / "faults").glob("test_*.py"):
        parts = re.split(r"^def (test_\w+)", path.read_text(), flags=re.MULTILINE)[1:]
        bodies = dict(zip(parts[::2], parts[1::2], strict=True))
        telling = {name for name, body in bodies.items() if re.search(r"\.tell\([1-9]", body)}
        assert telling <= {name for file, name in NAMED if file == path.stem}, path.name

"""One word per thing: Python, JavaScript, CSS, templates and docs agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gpu_worker.contract import GarmentStatus, PhotoStatus, TryOnStatus
from tests.house.source import ROOT, sources, tracked

STATUSES = {str(status) for kind in (TryOnStatus, PhotoStatus, GarmentStatus) for status in kind}
STATUS = re.compile(r"""status['"]?\]?\s*(?:={1,3}|!==?)\s*['"]([a-z_]+)['"]""")
ROW = re.compile(r"^\| (?!word|-)([^|`]+) \| ([^|]+) \| ([^|]+) \| `([^|`]+)` \|$", re.MULTILINE)
REPLACED = re.compile(r"^\| `([^|`]+)` \| [^|]+ \|$", re.MULTILINE)
MOST_WORDS = 60
# But for the table itself, and the page that lists the names of code bases before this one.
DOCUMENTS = sorted(
    {ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")}
    - {ROOT / "docs" / "words.md", ROOT / "docs" / "protocol.md"}
)
NAMES = {"utils", "helpers", "manager", "common", "util", "helper", "misc"}
WIDGET = ROOT / "widget" / "static" / "messages.js"


def messages(path: Path, direction: str) -> set[str]:
    """The types in the `UP` or `DOWN` table of a JavaScript file."""
    table = rf"\b{direction} = [^\n]*\(\{{\n(.*?)\n\s*\}}\);"
    found = re.search(table, path.read_text(), re.DOTALL)
    assert found, f"{path.name} has no table {direction}"
    return set(re.findall(r"^\s*([a-z_]+): [\[{]", found[1], re.MULTILINE))


def test_embed_and_widget_speak_the_same_messages() -> None:
    assert messages(ROOT / "embed" / "proteus.js", "UP") == messages(WIDGET, "UP")


@pytest.mark.parametrize("suffix", [".js", ".css", ".html"])
def test_the_screen_knows_no_other_status(suffix: str) -> None:
    for path in sources(suffix, "embed", "widget", "server"):
        assert set(STATUS.findall(path.read_text())) <= STATUSES, path


def words() -> str:
    return (ROOT / "docs" / "words.md").read_text()


def test_every_word_has_one_row_and_is_at_home_where_that_says() -> None:
    rows = ROW.findall(words())
    table = words().partition("## Not")[0]
    assert len(rows) == table.count("\n| ") - 1, "a row lacks a cell"  # but for the head
    assert 0 < len(rows) <= MOST_WORDS
    names = [name for row in rows for name in row[0].split(", ")]
    assert sorted(names) == sorted(set(names))
    assert [where for *_, where in rows if not (ROOT / where).exists()] == []


@pytest.mark.parametrize("word", REPLACED.findall(words()))
def test_a_replaced_word_is_not_used(word: str) -> None:
    rooms = ("server", "gpu_worker", "embed", "widget", "local", "bench")
    for suffix in (".py", ".js", ".html", ".css", ".lua"):
        for path in sources(suffix, *rooms):
            assert not re.search(rf"\b{word}s?\b", path.read_text(), re.I), path
    for path in DOCUMENTS:
        assert not re.search(rf"\b{word}s?\b", path.read_text(), re.I), path


def test_no_module_is_named_after_nothing() -> None:
    assert [path for path in tracked() if path.stem in NAMES] == []

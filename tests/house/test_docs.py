"""The docs hold together: records and index, headings, names of files, changelog and version."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from server.app import VERSION
from tests.house.source import ROOMS, ROOT, tracked

RECORDS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
PAGES = [path for path in tracked() if path.suffix == ".md"]
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
NAMED = re.compile(rf"`((?:{'|'.join((*ROOMS, 'widget', 'tests', 'docs'))})/[\w./-]+)`")


def _anchors(page: Path) -> set[str]:
    """As git hosts make them: lower case, no punctuation, a hyphen for each space."""
    titles = HEADING.findall(page.read_text())
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_record_says_what_was_decided_what_follows_and_what_was_rejected(record: Path) -> None:
    parts = re.findall(r"^\*\*(\w+)\.\*\*", record.read_text(), re.MULTILINE)
    assert parts == ["Decision", "Consequence", "Rejected"]


def test_the_index_names_every_record_by_its_title() -> None:
    titles = [HEADING.findall(path.read_text())[0].split(": ", 1) for path in RECORDS]
    rows = [
        f"| [{number}]({path.name}) | {title} |"
        for path, (number, title) in zip(RECORDS, titles, strict=True)
    ]
    index = (ROOT / "docs" / "decisions" / "README.md").read_text().splitlines()
    assert [line for line in index if line.startswith("| [")] == rows


def test_every_link_to_a_heading_finds_it() -> None:
    broken = [
        (page.name, f"{link}#{anchor}")
        for page in PAGES
        for link, anchor in re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", page.read_text())
        if anchor not in _anchors(page.parent / link if link else page)
    ]
    assert broken == []


def test_every_file_that_a_page_names_is_there() -> None:
    named = [(page.name, name) for page in PAGES for name in NAMED.findall(page.read_text())]
    assert len(named) > 50
    assert [(page, name) for page, name in named if not (ROOT / name).exists()] == []


def test_the_changelog_ends_with_the_version_that_the_server_says() -> None:
    heads = re.findall(r"^## (\S+)(.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heads[0] == ("Unreleased", "")
    assert heads[1][0] == VERSION
    assert all(re.fullmatch(r" - \d{4}-\d\d-\d\d", date) for _, date in heads[1:])

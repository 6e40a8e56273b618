"""What lies in the repository: nothing heavy, nothing foreign, nothing unfinished."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from pathlib import Path

import pytest

from tests.house.loader_size import LOADER, gzipped_size_bytes
from tests.house.source import ROOMS, ROOT, sources, syntax, tracked

MOST_BYTES = 4 * 1024 * 1024  # a git host takes 64 MiB; nothing of ours comes near
MOST_LINES = {".py": 500, ".js": 500, ".html": 500}
LOADER_LIMIT_BYTES = 4096
# In pieces, or this file would be the one that it finds.
REGISTRIES = ["pypi" + ".org", "python" + "hosted", "npm" + "js", "download.py" + "torch"]
FOREIGN = re.compile(r"(?<![\w.$}])/(?:work|root|home|Users|mnt|opt)/\w")
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME)\b")
VENDORED = sorted({path.parent for path in tracked() if path.parent.parent.name == "vendor"})


def _texts() -> list[tuple[Path, str]]:
    """Every tracked text; a NUL marks the others."""
    raw = ((path, path.read_bytes()) for path in tracked())
    return [(path, body.decode(errors="replace")) for path, body in raw if b"\0" not in body]


def test_nothing_is_heavy() -> None:
    assert [path for path in tracked() if path.stat().st_size > MOST_BYTES] == []


def test_the_loader_costs_a_page_little() -> None:
    assert gzipped_size_bytes(LOADER) <= LOADER_LIMIT_BYTES


@pytest.mark.parametrize("suffix", MOST_LINES)
def test_no_file_is_long(suffix: str) -> None:
    for path in sources(suffix, *ROOMS, "widget", "tests"):
        assert len(path.read_text().splitlines()) <= MOST_LINES[suffix], path


def test_no_registry_is_named() -> None:
    named = [(path, host) for path, text in _texts() for host in REGISTRIES if host in text.lower()]
    assert named == []


def test_no_path_leads_out() -> None:
    assert [(path, found[0]) for path, text in _texts() if (found := FOREIGN.search(text))] == []


def test_every_link_of_the_docs_leads_somewhere() -> None:
    broken = [
        (path.name, link)
        for path, text in _texts()
        if path.suffix == ".md"
        for link in re.findall(r"\]\(([^)#\s]+)", text)
        if "://" not in link and not (path.parent / link).exists()
    ]
    assert broken == []


def test_nothing_is_left_for_later() -> None:
    ours = [(path, text) for path, text in _texts() if "vendor" not in path.parts]
    assert [path for path, text in ours if UNFINISHED.search(text)] == []


def test_the_lock_file_names_no_host() -> None:
    packages = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert [name for name, package in packages.items() if "resolved" in package] == []


@pytest.mark.parametrize("folder", VENDORED, ids=lambda folder: folder.name)
def test_what_is_vendored_is_what_its_notice_says(folder: Path) -> None:
    """Whose it is, which version, and the very bytes."""
    assert (folder / "LICENSE").is_file()
    notice = (folder / "NOTICE").read_text()
    assert re.search(r"version \d+\.\d+\.\d+", notice)
    for path in folder.glob("*.js"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in notice, path


@pytest.mark.parametrize("room", [*ROOMS, "tests"])
def test_every_module_opens_with_what_it_owns(room: str) -> None:
    for path in sources(".py", room):
        tree = syntax(path)
        if tree.body and "migrations" not in path.parts:
            opening = ast.get_docstring(tree)
            assert opening, f"{path}: no opening lines"


@pytest.mark.parametrize("path", ["requirements.txt", "tests/requirements.txt"])
def test_every_dependency_is_pinned_and_says_why(path: str) -> None:
    for line in (ROOT / path).read_text().splitlines():
        if line and not line.startswith(("#", "-")):
            assert re.fullmatch(r"[\w.-]+(\[\w+\])?==\S+\s+# .+", line), line


def test_the_constraints_pin_what_is_required() -> None:
    pins = dict(
        line.lower().split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    for name in ("requirements.txt", "tests/requirements.txt"):
        for line in (ROOT / name).read_text().splitlines():
            if found := re.match(r"([\w.-]+)(?:\[\w+\])?==(\S+)", line):
                assert pins.get(found[1].lower()) == found[2], line

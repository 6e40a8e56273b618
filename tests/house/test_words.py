"""One word per thing: Python, JavaScript, CSS, templates and docs agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gpu_worker.contract import GarmentStatus, PhotoStatus, TryOnStatus
from tests.house.source import ROOT, sources, tracked

STATUSES = {str(status) for kind in (TryOnStatus, PhotoStatus, GarmentStatus) for status in kind}
STATUS = re.compile(r"""status['"]?\]?\s*(?:={1,3}|!==?)\s*['"]([a-z_]+)['"]""")
# Words that the design replaced by others.
REPLACED = ["tenant", "weaver", "vton", "outfit", "cloth_image", "human_image", "tryon_id"]
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


@pytest.mark.parametrize("word", REPLACED)
def test_a_replaced_word_is_not_used(word: str) -> None:
    for suffix in (".py", ".js", ".html", ".css"):
        for path in sources(suffix, "server", "gpu_worker", "embed", "widget"):
            assert not re.search(rf"\b{word}s?\b", path.read_text(), re.I), path


def test_no_module_is_named_after_nothing() -> None:
    assert [path for path in tracked() if path.stem in NAMES] == []

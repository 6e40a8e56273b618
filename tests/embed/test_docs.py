"""docs/embedding.md is true: every event, message, attribute and code it names is in the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from server.infra.errors import Code
from tests.house.test_words import messages

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "embedding.md").read_text()
LOADER = ROOT / "embed" / "proteus.js"
SOURCE = LOADER.read_text()
WIDGET = ROOT / "widget" / "static" / "messages.js"


def section(title: str) -> str:
    return DOCS.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_every_event_is_dispatched_and_every_dispatched_event_is_told() -> None:
    told = set(re.findall(r"^\| `proteus:([a-z-]+)`", section("Events"), re.MULTILINE))
    own = set(re.findall(r'emit\(\w+, "([a-z]+)"', SOURCE))
    passed_on = messages(LOADER, "UP") - {"ready", "resize", "close"}
    assert told == own | {name.replace("_", "-") for name in passed_on}


@pytest.mark.parametrize("direction", ["UP", "DOWN"])
def test_every_message_is_told(direction: str) -> None:
    head = {"UP": "up, widget to page", "DOWN": "down, page to widget"}[direction]
    wire = section("The wire between page and iframe")
    rows = wire.split(head, 1)[1].split("\n\n", 1)[0]
    told = set(re.findall(r"^\| `([a-z_]+)`", rows, re.MULTILINE))
    assert told == messages(WIDGET, direction)


def test_what_is_sent_down_is_what_the_widget_knows() -> None:
    sent = set(re.findall(r'post\("([a-z]+)"', SOURCE))
    assert sent == messages(WIDGET, "DOWN")


def test_every_attribute_is_read() -> None:
    for name in set(re.findall(r"data-proteus-([a-z]+)=", DOCS)):
        assert f'attribute(clicked, "{name}")' in SOURCE or f'attribute(opener, "{name}")' in SOURCE
    assert "data-site" in SOURCE


def test_every_code_of_the_table_exists() -> None:
    told = set(re.findall(r"^\| `([a-z_]+)` \|", section("When it does not open"), re.MULTILINE))
    own = set(re.findall(r'(?:report|fail)\(.*?"([a-z_]+)"', SOURCE))
    own |= {"unreachable", "offline", "bad_answer"}
    assert own <= told
    assert told - own <= set(Code)
    for code in own:
        assert f'"{code}"' in SOURCE


def test_the_limits_it_names() -> None:
    assert "timeout(15_000)" in SOURCE
    assert "within 15 s" in DOCS
    assert '"widget_silent"), 20_000)' in SOURCE
    assert "within 20 s" in DOCS
    assert "width = 440)" in SOURCE

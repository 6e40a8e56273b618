"""The shared sheet: every pair of colours that is used together can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from server.rendering import accent

SHEET = Path(__file__).parents[2] / "widget" / "static" / "tokens.css"
COLOURS = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", SHEET.read_text()
    )
}
NAMES = ("accent", "success", "warning", "danger")
GROUNDS = ("ground", "surface", "sunken")
WORDS = [(word, ground) for word in ("ink", "ink-soft") for ground in GROUNDS]
WORDS += [(f"{name}-ink", ground) for name in NAMES for ground in (*GROUNDS, f"{name}-soft")]
WORDS += [(f"on-{name}", name) for name in NAMES] + [("on-accent", "accent-strong")]
WORDS += [(word, f"{name}-soft") for word in ("ink", "ink-soft") for name in NAMES]
EDGES = [(edge, ground) for edge in ("line-strong", *NAMES) for ground in GROUNDS[:2]]


def ratio(one: str, other: str, scheme: int) -> float:
    colours = [accent.parse(COLOURS[name][scheme]) for name in (one, other)]
    assert colours[0]
    assert colours[1]
    return accent.contrast(colours[0], colours[1])


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("word", "ground"), WORDS)
def test_words_can_be_read(word: str, ground: str, scheme: int) -> None:
    assert ratio(word, ground, scheme) >= accent.READABLE


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("edge", "ground"), EDGES)
def test_edges_can_be_seen(edge: str, ground: str, scheme: int) -> None:
    assert ratio(edge, ground, scheme) >= accent.VISIBLE


def test_the_fallback_names_the_light_colours() -> None:
    fallback = SHEET.read_text().split("@supports not")[1]
    for name, colour in re.findall(r"--([\w-]+): (#\w+);", fallback):
        assert COLOURS[name][0] == colour


def test_accents_of_the_sheet_and_of_a_merchant_have_the_same_names() -> None:
    in_theme = set(re.findall(r"--([\w-]+): light-dark", accent.stylesheet("#000")))
    assert in_theme <= set(COLOURS)

"""A merchant's colour, however ugly, leaves every word readable."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rendering import accent
from server.rendering.accent import DARK, LIGHT, READABLE, VISIBLE, Scheme


def rgb(colour: str) -> accent.Rgb:
    parsed = accent.parse(colour)
    assert parsed is not None
    return parsed


def assert_readable(colour: str, scheme: Scheme) -> None:
    found = accent.accents(colour, scheme)
    assert accent.contrast(rgb(found.on_accent), rgb(found.accent)) >= READABLE
    assert accent.contrast(rgb(found.on_accent), rgb(found.accent_strong)) >= READABLE
    for ground in (*scheme.grounds, rgb(found.accent_soft)):
        assert accent.contrast(rgb(found.accent_ink), ground) >= READABLE
    for ground in scheme.grounds:
        assert accent.contrast(rgb(found.accent_edge), ground) >= VISIBLE


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    "colour", ["#3b4cca", "#ffff00", "#fff", "#000", "#777777", "#7f7f00", "#ff00ff", "#c0ffee"]
)
def test_every_colour_is_readable(colour: str, scheme: Scheme) -> None:
    assert_readable(colour, scheme)


@given(st.integers(0, 0xFFFFFF))
def test_any_colour_at_all_is_readable(number: int) -> None:
    for scheme in (LIGHT, DARK):
        assert_readable(f"#{number:06x}", scheme)


def test_the_merchants_colour_itself_is_kept() -> None:
    assert accent.accents("#FFE600", LIGHT).accent == "#ffe600"
    assert accent.accents("#FFE600", LIGHT).on_accent == "#101113"


@pytest.mark.parametrize(
    "colour", ["", "red", "#12", "#1234567", "#3b4cca;}body{display:none", "url(//evil.example)"]
)
def test_what_is_no_colour_becomes_the_default(colour: str) -> None:
    assert accent.stylesheet(colour) == accent.stylesheet(accent.DEFAULT)


def test_the_style_sheet_holds_nothing_but_custom_properties() -> None:
    lines = [line.strip() for line in accent.stylesheet("#f60").splitlines()]
    declarations = [line for line in lines if line.startswith("--")]
    assert len(declarations) == 12
    for line in declarations:
        assert re.fullmatch(r"--[a-z-]+: (light-dark\(#\w{6}, #\w{6}\)|#\w{6});", line)

"""Derives accessible accent colours (WCAG contrast) for light and dark from a merchant's colour.

Pure: a colour in, a style sheet out. Knows the background colours of `widget/static/tokens.css`;
must not know merchants or requests.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

DEFAULT = "#3b4cca"
READABLE = 4.5  # WCAG 2.2, 1.4.3: text
VISIBLE = 3.0  # WCAG 2.2, 1.4.11: the edge of a control

Rgb = tuple[int, int, int]

_WHITE: Rgb = (255, 255, 255)
_BLACK: Rgb = (0, 0, 0)
_INK: Rgb = (16, 17, 19)
_HEX = re.compile(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


@dataclass(frozen=True, slots=True)
class Scheme:
    """A colour scheme: the backgrounds that an accent lies on. `away`: black or white, whichever
    contrasts with them; `tint`: share of the accent in `accent_soft`, 0 to 1."""

    surface: Rgb
    grounds: tuple[Rgb, ...]
    away: Rgb
    tint: float


LIGHT = Scheme(_WHITE, (_WHITE, (246, 246, 247), (238, 239, 241)), _BLACK, 0.08)
DARK = Scheme((25, 26, 29), ((25, 26, 29), (16, 17, 19), (35, 37, 41)), _WHITE, 0.16)


@dataclass(frozen=True, slots=True)
class Accents:
    """Six colours as `#rrggbb`; the fields are named like the CSS custom properties."""

    accent: str
    accent_strong: str
    on_accent: str
    accent_ink: str
    accent_soft: str
    accent_edge: str


def parse(colour: str) -> Rgb | None:
    """`#abc` or `#aabbcc` (`#` optional) as numbers, 0 to 255; None for anything else."""
    match = _HEX.fullmatch(colour.strip())
    if match is None:
        return None
    digits = match[1] if len(match[1]) == 6 else "".join(2 * digit for digit in match[1])
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def contrast(one: Rgb, other: Rgb) -> float:
    """Contrast ratio by WCAG 2.2, 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def accents(colour: str, scheme: Scheme) -> Accents:
    """The accents of a scheme. As a background the merchant's colour is kept and the text on it is
    chosen; as text or an edge it is mixed towards `scheme.away` until the contrast suffices."""
    accent = parse(colour) or parse(DEFAULT) or _BLACK
    on_accent = _text_on(accent)
    soft = _mix(scheme.surface, accent, scheme.tint)
    ink = _until(accent, scheme.away, (*scheme.grounds, soft), READABLE)
    edge = _until(accent, scheme.away, scheme.grounds, VISIBLE)
    strong = _mix(accent, _BLACK if on_accent == _WHITE else _WHITE, 0.14)
    return Accents(*map(_hex, (accent, strong, on_accent, ink, soft, edge)))


def stylesheet(colour: str) -> str:
    """The widget's style sheet of accents, loaded after `tokens.css`; an unreadable `colour` gives
    DEFAULT's."""
    light = asdict(accents(colour, LIGHT))
    dark = asdict(accents(colour, DARK))
    names = {name: name.replace("_", "-") for name in light}
    both = [f"  --{names[n]}: light-dark({light[n]}, {dark[n]});" for n in light]
    only = [f"    --{names[n]}: {light[n]};" for n in light]
    return "\n".join(
        [
            ":root {",
            *both,
            "}",
            "@supports not (color: light-dark(#000, #fff)) {",
            "  :root {",
            *only,
            "  }",
            "}",
            "",
        ]
    )


def _luminance(colour: Rgb) -> float:
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def _text_on(accent: Rgb) -> Rgb:
    """White if readable, else ink; black for the few mid tones where neither is."""
    for text in (_WHITE, _INK):
        if contrast(text, accent) >= READABLE:
            return text
    return _BLACK


def _until(colour: Rgb, away: Rgb, grounds: tuple[Rgb, ...], ratio: float) -> Rgb:
    """The least mix of `colour` towards `away` with this contrast `ratio` on every background."""
    for percent in range(0, 101, 2):
        mixed = _mix(colour, away, percent / 100)
        if all(contrast(mixed, ground) >= ratio for ground in grounds):
            return mixed
    return away


def _mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _hex(colour: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)

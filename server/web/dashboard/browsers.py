"""A browser in a few words that its owner knows it by, out of its User-Agent. Pure.

The words are ours alone: nothing of what was sent is ever shown.
"""

from __future__ import annotations

# The first that is found counts: nearly all of them claim to be Safari as well.
BROWSERS = (
    (("Edg/", "EdgA/", "EdgiOS/"), "Edge"),
    (("OPR/", "OPT/"), "Opera"),
    (("SamsungBrowser/",), "Samsung Internet"),
    (("Firefox/", "FxiOS/"), "Firefox"),
    (("Chrome/", "CriOS/", "Chromium/"), "Chrome"),
    (("Safari/",), "Safari"),
)
SYSTEMS = (
    (("iPhone",), "iPhone"),
    (("iPad",), "iPad"),
    (("Android",), "Android"),
    (("Windows",), "Windows"),
    (("CrOS",), "ChromeOS"),
    (("Macintosh", "Mac OS X"), "macOS"),
    (("Linux", "X11"), "Linux"),
)


def in_words(user_agent: str) -> str:
    """`Firefox on Windows`, `Safari on iPhone`, or as much of it as one can tell."""
    browser = _first(BROWSERS, user_agent) or "Another browser"
    system = _first(SYSTEMS, user_agent)
    return f"{browser} on {system}" if system else browser


def _first(known: tuple[tuple[tuple[str, ...], str], ...], user_agent: str) -> str | None:
    return next((name for marks, name in known if any(mark in user_agent for mark in marks)), None)

"""How every process reports wrong settings: a line for each, all of them together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class SettingsError(Exception):
    """Settings are wrong: `lines` has a line for each. The process ends with exit code 2."""

    def __init__(self, lines: list[str]):
        super().__init__("\n".join(lines))
        self.lines = lines


def setting_lines(faults: Iterable[Mapping[str, object]], names: Mapping[str, str]) -> list[str]:
    """One line for each fault. `faults`: pydantic's; `names`: the environment variable by field.

    The wrong value is not repeated: it may contain a password.
    """
    return [_line(fault, names) for fault in faults]


def _line(fault: Mapping[str, object], names: Mapping[str, str]) -> str:
    place = fault["loc"]
    field = str(place[0]) if isinstance(place, tuple) and place else ""
    said = "is not set" if fault["type"] == "missing" else str(fault["msg"])
    return f"{names.get(field, field)}: {said.removeprefix('Value error, ')}"

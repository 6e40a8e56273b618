"""How a wrong setting is told, the same in every process: one line each, all of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


class SettingsError(Exception):
    """One line for each wrong setting, in `lines`. The process ends with exit code 2."""

    def __init__(self, lines: list[str]):
        super().__init__("\n".join(lines))
        self.lines = lines


def setting_lines(faults: Iterable[Mapping[str, object]], names: Mapping[str, str]) -> list[str]:
    """`faults`: as pydantic lists them; `names`: the environment variable of each field.

    What was given is not repeated: it may hold a password.
    """
    return [_line(fault, names) for fault in faults]


def _line(fault: Mapping[str, object], names: Mapping[str, str]) -> str:
    place = fault["loc"]
    field = str(place[0]) if isinstance(place, tuple) and place else ""
    said = "is not set" if fault["type"] == "missing" else str(fault["msg"])
    return f"{names.get(field, field)}: {said.removeprefix('Value error, ')}"

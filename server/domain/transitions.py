"""A finite state machine as one table: which status may follow which. Pure; knows no noun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from server.infra.kinds import Values

Status = TypeVar("Status", bound=StrEnum)


class IllegalMoveError(Exception):
    """A row was to be moved where its table does not lead: our own fault, never a caller's."""


@dataclass(frozen=True, slots=True)
class Transitions(Generic[Status]):
    """`table`: for each status those that may follow it; itself where progress is made in it."""

    table: Mapping[Status, frozenset[Status]]

    def move(self, status: Status, to: Status, values: Values) -> Values:
        """What a row of this status is given with the next one.

        Raises:
            IllegalMoveError: the table does not lead there.
        """
        if to not in self.table[status]:
            raise IllegalMoveError(f"{status.value} is never followed by {to.value}")
        return {**values, "status": to}

    def before(self, to: Status) -> tuple[Status, ...]:
        """From where one may come: what a compare-and-set asks of the row."""
        return tuple(status for status, after in self.table.items() if to in after)


def write(row: object, values: Values) -> None:
    """Puts new column values on a row that is locked or not yet added."""
    for name, value in values.items():
        setattr(row, name, value)

"""Finite state machine: a table that says which status may follow which. Pure; knows no noun."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from server.infra.kinds import Values

Status = TypeVar("Status", bound=StrEnum)


class IllegalMoveError(Exception):
    """A transition that the table does not have: a bug of ours, never a caller's fault."""


@dataclass(frozen=True, slots=True)
class Transitions(Generic[Status]):
    """`table`: for each status those that may follow it. A status that follows itself can be
    written again with other values (a running try-on makes progress)."""

    table: Mapping[Status, frozenset[Status]]

    def move(self, status: Status, to: Status, values: Values) -> Values:
        """The column values of the move: `values` and the new status. Writes nothing.

        Raises:
            IllegalMoveError: the table has no such move.
        """
        if to not in self.table[status]:
            raise IllegalMoveError(f"{status.value} is never followed by {to.value}")
        return {**values, "status": to}

    def before(self, to: Status) -> tuple[Status, ...]:
        """The statuses that may lead to `to`: the condition of a compare-and-set."""
        return tuple(status for status, after in self.table.items() if to in after)


def write(row: object, values: Values) -> None:
    """Sets column values on a row that is locked or new; any other needs a compare-and-set."""
    for name, value in values.items():
        setattr(row, name, value)

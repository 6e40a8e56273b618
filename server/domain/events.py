"""Validation of the data of a worker's event, field by field. Pure; must not know a noun."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from gpu_worker.contract import ContractError, Event, Reason

log = logging.getLogger(__name__)

MOST = 2**31 - 1  # a 32-bit INTEGER column


def whole(event: Event, name: str, default: int | None = None) -> int:
    """A field as an integer; a fraction is cut off. Raises ContractError where it is no number, or
    one that an INTEGER column cannot hold."""
    value: object = event.data.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ContractError(f"{event.type.value}: {name} is {value!r}")
    if not abs(value) <= MOST:  # written this way round so that NaN is refused, too
        raise ContractError(f"{event.type.value}: {name} is {value!r}")
    return int(value)


def text(event: Event, name: str) -> str | None:
    """A field as text; None where it is missing."""
    value: object = event.data.get(name)
    return None if value is None else str(value)


def items(event: Event, name: str) -> list[object]:
    """A field as a list, empty where it is missing. Raises ContractError for anything else."""
    value: object = event.data.get(name) or []
    if not isinstance(value, list):
        raise ContractError(f"{event.type.value}: {name} is no list")
    return value


def reasons(event: Event) -> list[str]:
    """The known codes among an event's `reasons`; `engine_failed` if none is known."""
    known = [found for code in items(event, "reasons") if (found := reason(code))]
    return [found.value for found in known] or [Reason.ENGINE_FAILED.value]


def reason(code: object) -> Reason | None:
    """The reason of this code; None, and a line in the log, for an unknown one."""
    try:
        return Reason(str(code))
    except ValueError:
        log.warning("a worker gave a reason that nobody knows: %r", code)
        return None


def moment(event: Event, since: datetime, now: datetime) -> datetime:
    """When it happened, by the worker's clock, clamped to between `since` and `now`: clocks differ.

    Raises:
        ContractError: `at_ms` is no moment.
    """
    try:
        at = datetime.fromtimestamp(event.at_ms / 1000, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise ContractError(f"at_ms is {event.at_ms!r}") from error
    return min(max(at, since), max(now, since))

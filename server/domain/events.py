"""Reads what a worker's event says, and refuses what was not agreed. Pure; knows no noun."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from gpu_worker.contract import ContractError, Event, Reason

log = logging.getLogger(__name__)

MOST = 2**31 - 1


def whole(event: Event, name: str, default: int | None = None) -> int:
    """Raises ContractError where it is no number that a column takes."""
    value: object = event.data.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ContractError(f"{event.type.value}: {name} is {value!r}")
    if not abs(value) <= MOST:  # not a number is not more either
        raise ContractError(f"{event.type.value}: {name} is {value!r}")
    return int(value)


def text(event: Event, name: str) -> str | None:
    value: object = event.data.get(name)
    return None if value is None else str(value)


def items(event: Event, name: str) -> list[object]:
    """Raises ContractError where it is no list."""
    value: object = event.data.get(name) or []
    if not isinstance(value, list):
        raise ContractError(f"{event.type.value}: {name} is no list")
    return value


def reasons(event: Event) -> list[str]:
    """The codes that we know; at least one."""
    known = [found for code in items(event, "reasons") if (found := reason(code))]
    return [found.value for found in known] or [Reason.ENGINE_FAILED.value]


def reason(code: object) -> Reason | None:
    try:
        return Reason(str(code))
    except ValueError:
        log.warning("a worker gave a reason that nobody knows: %r", code)
        return None


def moment(event: Event, since: datetime, now: datetime) -> datetime:
    """When it happened, by the worker's clock where that is believable: not before `since`."""
    try:
        at = datetime.fromtimestamp(event.at_ms / 1000, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise ContractError(f"at_ms is {event.at_ms!r}") from error
    return min(max(at, since), max(now, since))

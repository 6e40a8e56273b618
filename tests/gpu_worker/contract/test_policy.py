"""The policy's way through Redis and back."""

from __future__ import annotations

import pytest

from gpu_worker.contract import Law, Mode, Policy

MADE = Policy(
    batch_size=4,
    tier="steps_20",
    mode=Mode.DEGRADED,
    law=Law.THRESHOLDS,
    max_wait_ms=50,
    ts=1_700_000_000.25,
    picture_s=2.5,
    rate_per_s=1.5,
    predicted_s=7.0,
    retry_after_s=3.0,
)


def as_redis(fields: dict[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): text.encode() for name, text in fields.items()}


def test_it_comes_back_as_it_was() -> None:
    assert Policy.from_redis(as_redis(MADE.to_redis())) == MADE


def test_a_field_of_tomorrow_is_left_alone() -> None:
    assert Policy.from_redis(as_redis(MADE.to_redis() | {"moon": "full"})) == MADE


@pytest.mark.parametrize("fields", [{}, {"batch_size": "many"}, {"batch_size": "4", "mode": "odd"}])
def test_what_cannot_be_read_is_none(fields: dict[str, str]) -> None:
    assert Policy.from_redis(as_redis(fields)) is None

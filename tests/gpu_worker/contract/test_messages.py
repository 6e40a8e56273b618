"""Events on the wire, there and back; what the version before called otherwise is still read."""

from __future__ import annotations

import json

import pytest

from gpu_worker.contract import ContractError, Event, EventType, Subject

PARTIAL = Event(
    subject=Subject.TRY_ON, id="try_1", type=EventType.PARTIAL, at_ms=7, data={"key": "k"}
)


def test_an_event_comes_back_as_it_was_sent() -> None:
    assert Event.from_json(PARTIAL.to_json()) == PARTIAL


def test_a_worker_of_the_version_before_calls_a_partial_picture_preview() -> None:
    told = json.loads(PARTIAL.to_json()) | {"type": "preview"}
    assert Event.from_json(json.dumps(told)) == PARTIAL


@pytest.mark.parametrize(
    "wrong", [{"type": "rough"}, {"type": None}, {"type": []}, {"subject": "x"}, {"at_ms": "soon"}]
)
def test_what_was_not_agreed_is_no_event(wrong: dict[str, object]) -> None:
    with pytest.raises(ContractError):
        Event.from_json(json.dumps(json.loads(PARTIAL.to_json()) | wrong))

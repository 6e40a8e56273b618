"""docs/protocol.md tells every word that goes over a wire."""

from __future__ import annotations

import re
from enum import StrEnum

import pytest

from gpu_worker import contract
from gpu_worker.contract import (
    Category,
    EventType,
    GarmentStatus,
    Hint,
    Lane,
    Law,
    Mode,
    PhotoStatus,
    Reason,
    TryOnStatus,
)
from server.app import create_app
from server.infra.errors import Code
from tests.house.source import ROOT
from tests.house.test_words import WIDGET, messages
from tests.server.actors import settings
from tests.services import S3Settings

BEYOND_V1 = {"/healthz", "/readyz", "/docs", "/openapi.json", "/embed/v1/proteus.js", "/w/{pk}"}
DOCS = ROOT / "docs" / "protocol.md"
NOWHERE = S3Settings("http://unused", "proteus", "id", "secret")
WORDS = [Category, EventType, GarmentStatus, Hint, Lane, Law, Mode, PhotoStatus, TryOnStatus]


def test_it_tells_every_message_between_page_and_widget() -> None:
    told = DOCS.read_text()
    said = messages(WIDGET, "UP") | messages(WIDGET, "DOWN")
    assert sorted(word for word in said if f"`{word}" not in told) == []


def test_it_tells_of_every_door() -> None:
    app = create_app(settings("redis://unused", "sqlite://", NOWHERE))
    rules = [rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/v1/")]
    paths = {re.sub(r"<(?:\w+:)?(\w+)>", _placeholder, rule) for rule in rules}
    told = DOCS.read_text()
    assert sorted(path for path in paths | BEYOND_V1 if f"`{path}`" not in told) == []


def _placeholder(found: re.Match[str]) -> str:
    return "{id}" if found[1].endswith("_id") else f"{{{found[1]}}}"


@pytest.mark.parametrize("kind", WORDS)
def test_it_tells_every_word(kind: type[StrEnum]) -> None:
    told = set(re.findall(r"[a-z_]+", DOCS.read_text()))
    assert {word.value for word in kind} <= told


def test_it_tells_every_code() -> None:
    told = set(re.findall(r"`([a-z_]+)`", DOCS.read_text()))
    assert sorted({reason.value for reason in Reason} - told) == []
    assert sorted(set(Code) - told) == []


@pytest.mark.parametrize(
    "name",
    [
        contract.EVENTS,
        contract.NUDGES,
        contract.STEWARD,
        contract.ring_key("<engine>", Lane.LIVE).replace("live", "<lane>"),
        contract.bell_key("<engine>"),
        contract.policy_key("<engine>"),
        contract.worker_key("<id>"),
        contract.counts_key("<engine>"),
        contract.override_key("<engine>"),
        contract.arrivals_key("<engine>"),
        contract.curve_key("<device>", "<model>", "<size>"),
        contract.turns_key("<engine>:<lane>:<merchant>"),
        contract.SCALE,
        contract.ARBITRATOR,
        contract.queue_name("<engine>", Lane.LIVE, "<merchant>").replace("live", "<lane>"),
    ],
)
def test_it_tells_every_redis_name(name: str) -> None:
    assert f"`{name}`" in DOCS.read_text()

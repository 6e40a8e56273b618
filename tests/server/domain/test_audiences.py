"""Who hears of a row: as the registry says of its noun, and of a shopper's photo nobody but she."""

from __future__ import annotations

import pytest

import server.nouns  # noqa: F401 - fills the registry
from server.domain.audiences import channels_of
from server.infra.kinds import KINDS
from server.infra.nudges import Owner

MERCHANT, SITE, HERS = "merchant:mer_1", "site:sit_1:live", "shopper:sho_1"


@pytest.mark.parametrize(
    ("row_id", "shopper_id", "rooms"),
    [
        ("try_1", "sho_1", {MERCHANT, SITE, HERS}),
        ("try_1", None, {MERCHANT, SITE}),
        ("pho_1", "sho_1", {HERS}),
        ("pho_1", None, {SITE}),
        ("gar_1", None, {MERCHANT, SITE}),
        ("xyz_1", "sho_1", set()),
    ],
)
def test_who_hears_of_a_row(row_id: str, shopper_id: str | None, rooms: set[str]) -> None:
    assert set(channels_of(row_id, Owner("mer_1", "sit_1", shopper_id), ("live",))) == rooms


@pytest.mark.parametrize(
    ("audience", "prefixes"),
    [("shopper", ["pho", "try"]), ("site", ["gar", "pho", "try"]), ("merchant", ["gar", "try"])],
)
def test_what_a_page_is_told_after_a_connect(audience: str, prefixes: list[str]) -> None:
    assert [kind.prefix for kind, _ in KINDS.heard_by(audience)] == prefixes

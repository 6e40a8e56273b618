"""Every code a worker can send has words for the shopper and for the merchant."""

from __future__ import annotations

import re

import pytest

from gpu_worker.contract import Reason
from server.rendering.words import reasons

JARGON = re.compile(r"\b(job|queue|token|upload|engine|server|worker|oops|error|invalid)\b", re.I)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_sentences(reason: Reason) -> None:
    found = reasons.SENTENCES[reason]
    for sentence in (found.wrong, found.advice, found.merchant):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "!" not in sentence


@pytest.mark.parametrize("reason", Reason)
def test_a_shopper_reads_no_jargon(reason: Reason) -> None:
    assert not JARGON.search(reasons.shopper(reason.value))


def test_a_code_of_a_newer_worker_still_has_words() -> None:
    assert reasons.shopper("brand_new_code") == reasons.shopper("engine_failed")

"""The registry of nouns is whole: what workers speak of has an entry, and none is half filled."""

from __future__ import annotations

import pytest

from gpu_worker.contract import Subject
from server.infra.kinds import AnyKind, Kind, Kinds
from server.nouns import KINDS


@pytest.mark.parametrize("subject", Subject)
def test_every_subject_has_a_complete_entry(subject: Subject) -> None:
    kind, jobs = KINDS.of_subject(subject)
    assert jobs.subject is subject
    assert set(jobs.unfinished) < set(type(jobs.unfinished[0])), "some status is final"
    assert kind.files is not None
    assert kind.live is not None
    assert kind.live.audiences
    assert kind.live.pages
    row_id = f"{kind.prefix}_{'0' * 24}"
    assert KINDS.of_id(row_id) is kind
    assert row_id in jobs.ids(row_id)
    assert all(row_id in key for key in kind.keys(row_id))
    for column in ("id", "version", "merchant_id", "site_id", "status", "queued_at", "created_at"):
        assert hasattr(kind.model, column), column


def test_the_ids_of_a_noun_are_those_of_its_rows() -> None:
    for kind in KINDS:
        made = kind.model.__table__.c.id.default.arg(None)
        assert made.startswith(f"{kind.prefix}_")
        assert len(kind.prefix) == 3


def test_no_two_nouns_share_a_prefix_or_a_subject() -> None:
    kinds: list[AnyKind] = list(KINDS)
    with pytest.raises(ValueError, match="two nouns"):
        Kinds(kinds[0], Kind(prefix=kinds[0].prefix, model=kinds[1].model))
    subjects = [jobs.subject for _, jobs in KINDS.with_jobs()]
    assert sorted(subjects) == sorted(Subject)


def test_whoever_waits_before_a_screen_is_put_back_first() -> None:
    order = [jobs.subject for _, jobs in KINDS.with_jobs()]
    assert order == [Subject.TRY_ON, Subject.PHOTO, Subject.GARMENT]

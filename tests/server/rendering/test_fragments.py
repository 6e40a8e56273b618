"""What a shopper sees of her rows: every state, every word, and nothing that was not escaped."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest

from gpu_worker.contract import Hint, PhotoStatus, Reason, TryOnStatus
from server.infra.errors import Code
from server.models import now
from server.rendering import fragments, widget_states
from server.rendering.fragments import Scene
from server.rendering.widget_states import SampleLinks, State
from server.rendering.words import reasons, times, widget
from server.web.widget import document

LINKS = SampleLinks("/w/static/")
NASTY = """"><script>alert(1)</script>'"""
JARGON = re.compile(r"\b(job|queue|token|upload|engine|server|worker|error|oops|invalid)\b|!", re.I)


def words_of(html: str) -> str:
    """The text and labels of a fragment."""
    labels = re.findall(r'(?:aria-label|alt|title)="([^"]*)"', html)
    return " ".join([re.sub(r"<[^>]+>", " ", html), *labels])


@pytest.mark.parametrize(("name", "state"), widget_states.STATES.items())
def test_every_state_has_a_heading_and_no_jargon(name: str, state: State) -> None:
    card = state.card(LINKS)
    assert card.count("<h1") == 1
    assert 'tabindex="-1"' in card
    assert not JARGON.search(words_of(card))


@pytest.mark.parametrize(("name", "state"), widget_states.STATES.items())
def test_no_state_has_more_than_one_primary_action(name: str, state: State) -> None:
    visible = re.sub(
        r'<div class="actions"[^>]* hidden>.*?</div>', "", state.card(LINKS), flags=re.S
    )
    assert visible.count("button primary") <= 1


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_said(reason: Reason) -> None:
    wrong, advice = widget.words(reason.value)
    assert wrong
    assert advice
    photo = widget_states.photo(PhotoStatus.REJECTED, reason)
    photo.people = []
    assert wrong.replace("'", "&#39;") in fragments.photo_card(photo, LINKS)


@pytest.mark.parametrize("code", Code)
def test_every_refusal_of_the_server_has_words(code: Code) -> None:
    assert not JARGON.search(" ".join(widget.words(code)))


def test_every_problem_of_the_page_has_words() -> None:
    for code in document.PAGE_PROBLEMS:
        assert widget.words(code) != widget.words("internal") or code == "internal"


def test_titles_are_escaped() -> None:
    garment = widget_states.garment(NASTY)
    scene = Scene(widget_states.picture(), widget_states.photo(), garment)
    waiting = Scene(widget_states.try_on(TryOnStatus.QUEUED), widget_states.photo(), garment)
    for html in (
        fragments.try_on_card(scene, LINKS),
        fragments.try_on_card(waiting, LINKS),
        fragments.history([scene], LINKS),
        fragments.start(NASTY, 86_400),
    ):
        assert "<script>" not in html
        assert "&lt;script&gt;" in html


def test_a_push_carries_id_version_and_swap() -> None:
    row = widget_states.try_on(TryOnStatus.RUNNING, step=1, steps=4, version=7)
    html = fragments.progress(row, oob=True)
    assert 'id="progress-try_sample"' in html
    assert 'data-version="7"' in html
    assert 'hx-swap-oob="true"' in html


def test_an_answer_is_no_push() -> None:
    assert "hx-swap-oob" not in fragments.photo_card(widget_states.photo(), LINKS)


def test_a_photo_that_is_fine_goes_on_by_itself_and_one_with_a_hint_waits() -> None:
    assert 'hx-trigger="load"' in fragments.photo_card(widget_states.photo(), LINKS)
    hinted = fragments.photo_card(widget_states.photo(hints=1), LINKS)
    assert 'hx-trigger="load"' not in hinted
    assert "Use this photo" in hinted


@pytest.mark.parametrize("hint", Hint)
def test_every_hint_is_said_in_a_sentence_of_its_own(hint: Hint) -> None:
    row = widget_states.photo()
    row.hints = [hint.value]
    html = unescape(fragments.photo_card(row, LINKS))
    assert reasons.HINTS[hint] in html
    assert hint.value not in html
    assert "Another photo may come out better." in reasons.hint("from_a_newer_worker")


def test_a_preview_says_so_and_every_picture_says_that_ai_made_it() -> None:
    scene = Scene(widget_states.picture(), widget_states.photo(), widget_states.garment())
    html = fragments.try_on_card(scene, LINKS)
    assert "Made by AI" in html
    assert "quick preview" in html
    full = Scene(widget_states.picture(is_preview=False), widget_states.photo(), None)
    assert "review" not in fragments.try_on_card(full, LINKS)


def test_a_half_done_picture_is_as_old_as_its_step() -> None:
    row = widget_states.try_on(TryOnStatus.RUNNING, partial_key="half.jpg", partial_step=8)
    html = fragments.partial(row, LINKS, oob=True)
    assert 'id="partial-try_sample" data-version="9" hx-swap-oob="true"' in html
    assert "half.jpg" in html
    none_yet = fragments.partial(widget_states.try_on(TryOnStatus.RUNNING), LINKS)
    assert "<img" not in none_yet
    assert none_yet.count("><") == 1  # truly empty, so that it covers nothing


@pytest.mark.parametrize(
    ("tier", "is_told"), [(None, False), ("full", False), ("preview", False), ("steps_20", True)]
)
def test_a_lower_rung_is_no_secret(tier: str | None, is_told: bool) -> None:
    row = widget_states.try_on(TryOnStatus.RUNNING, tier=tier)
    assert ("less detail" in fragments.progress(row)) == is_told
    scene = Scene(widget_states.picture(tier=tier), widget_states.photo(), None)
    assert ("less detail" in fragments.try_on_card(scene, LINKS)) == is_told


def test_a_deleted_picture_is_not_shown() -> None:
    row = widget_states.picture(deleted_at=now(), result_key=None)
    html = fragments.try_on_card(Scene(row, None, None), LINKS)
    assert "This picture has been deleted." in html
    assert 'id="card-try_x"' in fragments.gone("try_x", 3)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "a few seconds"),
        (6, "about 6 seconds"),
        (23, "about 25 seconds"),
        (100, "about 2 minutes"),
        (60 * 7, "about 7 minutes"),
    ],
)
def test_seconds_are_said_roughly(seconds: float, said: str) -> None:
    assert times.roughly(seconds) == said


@pytest.mark.parametrize(
    ("position", "said"),
    [
        (None, "Your picture is in line"),
        (1, "You're next"),
        (2, "1 person ahead of you"),
        (4, "3 people ahead of you"),
    ],
)
def test_the_place_is_said(position: int | None, said: str) -> None:
    assert times.place(position) == said


def test_times_are_relative() -> None:
    assert times.ago(now()) == "just now"
    assert times.ago(now() - timedelta(minutes=1, seconds=5)) == "1 minute ago"
    assert times.left(now() + timedelta(hours=23, minutes=10)) == "23 hours"
    assert times.left(now() + timedelta(minutes=12)) == "12 minutes"

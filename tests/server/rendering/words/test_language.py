"""Every sentence is marked for the catalogues, and a catalogue changes what is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import flask_babel
import pytest
from apiflask import APIFlask
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from flask import render_template

from gpu_worker.contract import Category, GarmentStatus, Reason
from server.app import create_app
from server.infra.errors import Code
from server.infra.services import current_services
from server.models import Garment, now
from server.rendering import dashboard_fragments, fragments
from server.rendering.words import (
    dashboard,
    language,
    problems,
    reasons,
    scripts,
    times,
    widget,
)
from tests.server.actors import settings
from tests.services import S3Settings

NOWHERE = S3Settings("http://unused", "proteus", "id", "secret")
READ = [("**.py", "python"), ("**.html", "jinja2")]
GERMAN: dict[str | tuple[str, ...], str | tuple[str, ...]] = {
    "Your picture is on its way": "Dein Bild ist unterwegs",
    "This file is empty.": "Diese Datei ist leer.",
    "Choose another photo.": "Nimm ein anderes Foto.",
    "about %(time)s": "etwa %(time)s",
    "Bad cursor": "Falscher Zeiger",
    "%(browser)s is logged out.": "%(browser)s ist abgemeldet.",
    "Cleaning": "Wird freigestellt",
    "Added": "Hinzugefügt",
    "Go to Home": "Zur Startseite",
    "Copied": "Kopiert",
    ("%(num)s person ahead of you", "%(num)s people ahead of you"): (
        "%(num)s Person vor dir",
        "%(num)s Leute vor dir",
    ),
}


@pytest.fixture(scope="module")
def marked() -> set[str]:
    """What a translator is given."""
    found: set[str] = set()
    words = Path(language.__file__).parent
    for folder in (words, fragments.TEMPLATES, dashboard_fragments.TEMPLATES):
        for _file, _line, message, _comments, _context in extract_from_dir(folder, READ):
            found.update([message] if isinstance(message, str) else message)
    return found


def test_every_sentence_of_a_table_is_marked(marked: set[str]) -> None:
    tables = [
        *(part for words in problems.WORDS.values() for part in (words.title, words.detail)),
        *(part for s in reasons.SENTENCES.values() for part in (s.wrong, s.advice, s.merchant)),
        *(part for pair in widget.PROBLEMS.values() for part in pair),
        *reasons.HINTS.values(),
        dashboard.ADD_GARMENT.text,
        dashboard.OUTDATED.title,
    ]
    assert [sentence for sentence in tables if sentence not in marked] == []
    assert {message for message in GERMAN if isinstance(message, str)} <= marked


def test_every_code_has_its_sentence() -> None:
    assert set(problems.WORDS) == set(Code)
    assert set(reasons.SENTENCES) == set(Reason)


@pytest.fixture
def german(tmp_path: Path) -> Iterator[APIFlask]:
    """An app with a catalogue, and a reader who wants it."""
    catalogue = Catalog(locale="de")
    for message, said in GERMAN.items():
        catalogue.add(message, said)
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "messages.mo").open("wb") as file:
        write_mo(file, catalogue)
    app = create_app(settings("redis://unused", "sqlite://", NOWHERE))
    app.extensions["babel"].translation_directories = [str(tmp_path)]
    with app.app_context(), flask_babel.force_locale("de"):
        yield app


def test_a_catalogue_changes_what_is_said(german: APIFlask) -> None:
    assert widget.words(Reason.EMPTY_FILE) == ("Diese Datei ist leer.", "Nimm ein anderes Foto.")
    assert times.place(2) == "1 Person vor dir"
    assert times.place(4) == "3 Leute vor dir"
    assert times.roughly(20) == "etwa 20 Sekunden"
    assert times.span(7200) == "2 Stunden"
    assert problems.words(Code.BAD_CURSOR).title == "Falscher Zeiger"
    assert dashboard.session_ended("Firefox") == "Firefox ist abgemeldet."
    assert "Diese Datei ist leer." in fragments.problem(Reason.EMPTY_FILE)


def test_a_catalogue_changes_the_dashboards_pages_rows_and_scripts(german: APIFlask) -> None:
    garment = Garment(
        id="gar_1",
        sku="tee",
        title="<b>Tee</b>",
        category=Category.UPPER,
        status=GarmentStatus.CLEANING,
        reasons=[],
        version=1,
        created_at=now(),
    )
    row = dashboard_fragments.garment_row(current_services().store, garment)
    assert 'data-label="Hinzugefügt"' in row
    assert "Wird freigestellt</span>" in row
    assert "&lt;b&gt;Tee&lt;/b&gt;" in row
    assert scripts.sentences()["copied"] == "Kopiert"
    with german.test_request_context("/dashboard/nothing"):
        assert "Zur Startseite" in render_template("dashboard/problem.html", title="", text="")


def test_without_a_catalogue_it_is_english() -> None:
    app = create_app(settings("redis://unused", "sqlite://", NOWHERE))
    with app.app_context(), flask_babel.force_locale("fr"):
        assert widget.words(Reason.EMPTY_FILE)[0] == "This file is empty."
    assert times.span(7200) == "2 hours"

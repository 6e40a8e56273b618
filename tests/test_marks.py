"""Marks are set by what a test uses; without torch's tests torch is not imported."""

from __future__ import annotations

import sys

import pytest

from tests import marks


@pytest.mark.parametrize(
    ("expression", "left_out"),
    [
        ("not torch", True),
        ("not slow and not torch", True),
        ("not torch or slow", False),
        ("not slow", False),
        ("torch", False),
        ("", False),
    ],
)
def test_what_is_left_out_by_an_expression(
    pytestconfig: pytest.Config, monkeypatch: pytest.MonkeyPatch, expression: str, left_out: bool
) -> None:
    monkeypatch.setattr(pytestconfig.option, "markexpr", expression)
    assert marks.leaves_out(pytestconfig, "torch") is left_out


def test_torch_is_not_even_imported_where_it_is_left_out(pytestconfig: pytest.Config) -> None:
    assert not (marks.leaves_out(pytestconfig, "torch") and "torch" in sys.modules)


def names(request: pytest.FixtureRequest) -> set[str]:
    return {mark.name for mark in request.node.iter_markers()}


def test_what_uses_both_databases_is_marked_for_one(
    request: pytest.FixtureRequest, database_url: str
) -> None:
    assert ("postgres" in names(request)) == database_url.startswith("postgres")


def test_who_asks_for_a_service_is_marked(
    request: pytest.FixtureRequest, postgres_url: str
) -> None:
    assert "postgres" in names(request)


def test_a_process_started_by_an_unmarked_test_fails_it() -> None:
    with pytest.raises(pytest.fail.Exception, match="mark this test"):
        marks.require("process")


@pytest.mark.process
def test_a_marked_one_may_start_it() -> None:
    marks.require("process")

"""The words of a merchant's rows, and what her page's scripts are given."""

from __future__ import annotations

import pytest

from gpu_worker.contract import GarmentStatus, Reason, TryOnStatus
from server.app import create_app
from server.domain.users import LONGEST_PASSWORD
from server.rendering.words import dashboard, reasons, scripts
from tests.server.actors import settings
from tests.services import S3Settings

NOWHERE = S3Settings("http://unused", "proteus", "id", "secret")


@pytest.mark.parametrize("status", [*TryOnStatus, *GarmentStatus])
def test_every_status_is_said(status: str) -> None:
    assert dashboard.status(status) == status.capitalize()


@pytest.mark.parametrize(
    ("position", "eta_s", "said"),
    [
        (1, None, "Next"),
        (0, 0.0, "Next"),
        (1, 6.2, "Next, about 7 s"),
        (2, None, "Place 2"),
        (12, 60.0, "Place 12, about 60 s"),
    ],
)
def test_a_place_in_line_is_said(position: int, eta_s: float | None, said: str) -> None:
    assert dashboard.place(position, eta_s) == said


def test_a_password_is_told_which_way_its_length_is_wrong() -> None:
    assert dashboard.wrong_length("short") == "Use a password of at least 10 characters."
    too_long = dashboard.wrong_length("x" * (LONGEST_PASSWORD + 1))
    assert too_long == "Use a password of at most 256 characters."


def test_scripts_say_of_a_file_what_the_api_says_and_know_its_limit() -> None:
    said = scripts.sentences()
    for reason in (Reason.EMPTY_FILE, Reason.FILE_TOO_LARGE, Reason.UNSUPPORTED_FORMAT):
        assert said[reason] == reasons.merchant(reason)
    assert said["add_all"] == "Add all %(count)s garments"
    small = settings("redis://unused", "sqlite://", NOWHERE, max_upload_bytes=2_500_000)
    with create_app(small).app_context():
        assert "larger than 2.3 MB" in scripts.sentences()["file_too_large"]

"""Sentences for shoppers when something is wrong: first what, then what to do. No jargon, no blame.

Codes come from the page itself, from the server's refusals and from workers' reasons.
"""

from __future__ import annotations

from enum import StrEnum

from gpu_worker.contract import Reason
from server.infra.errors import Code
from server.rendering.words import reasons
from server.rendering.words.language import N_
from server.rendering.words.language import gettext as _


class PageCode(StrEnum):
    """What the widget's page runs into itself; its modules say these words too."""

    UPLOAD_FAILED = "upload_failed"
    UPLOAD_EXPIRED = "upload_expired"
    UNREADABLE_PHOTO = "unreadable_photo"
    CAMERA_REFUSED = "camera_refused"
    CAMERA_MISSING = "camera_missing"
    EXPIRED = "expired"
    GARMENT_MISSING = "garment_missing"
    SESSION_ENDED = "session_ended"


PROBLEMS: dict[str, tuple[str, str]] = {
    PageCode.UPLOAD_FAILED: (
        N_("Your photo did not get through."),
        N_("Check your connection and try again."),
    ),
    PageCode.UPLOAD_EXPIRED: (N_("Sending your photo took too long."), N_("Try again.")),
    PageCode.UNREADABLE_PHOTO: (
        N_("Your browser can't open this picture."),
        N_("Choose a JPEG, PNG or WebP."),
    ),
    PageCode.CAMERA_REFUSED: (
        N_("We may not use your camera."),
        N_("Allow it in your browser's settings, or choose a photo instead."),
    ),
    PageCode.CAMERA_MISSING: (N_("We can't find a camera."), N_("Choose a photo instead.")),
    PageCode.EXPIRED: (N_("Your picture took too long."), N_("Try again in a moment.")),
    Code.GONE: (N_("This picture has been deleted."), N_("You can make a new one.")),
    PageCode.GARMENT_MISSING: (
        N_("This item can't be tried on yet."),
        N_("Close this and choose another item."),
    ),
    Code.GARMENT_NOT_READY: (
        N_("This item is still being made ready."),
        N_("Try again in a few seconds."),
    ),
    PageCode.SESSION_ENDED: (
        N_("This fitting room was open for a while and has closed."),
        N_("Open it again to go on."),
    ),
    Code.QUEUE_FULL: (
        N_("Many people are trying things on right now."),
        N_("Try again in a minute."),
    ),
    Code.TOO_MANY_TRY_ONS: (
        N_("Several of your pictures are still being made."),
        N_("Wait for one of them, then try again."),
    ),
    Code.TOO_MANY_PHOTOS: (
        N_("Several of your photos are still being checked."),
        N_("Wait a few seconds, then try again."),
    ),
    Code.RATE_LIMITED: (N_("That was a lot at once."), N_("Wait a minute, then try again.")),
    Code.UNAVAILABLE: (
        N_("The fitting room is not available right now."),
        N_("Try again in a moment."),
    ),
    Code.INTERNAL: (N_("Something went wrong on our side."), N_("Try again in a moment.")),
}

SESSION_CODES = frozenset(
    {Code.NOT_AUTHENTICATED, Code.BAD_TOKEN, Code.BAD_BOOT_TOKEN, Code.NO_SHOPPER}
)
GARMENT_CODES = frozenset({Code.GARMENT_NOT_FOUND, Code.GARMENT_REJECTED})


def words(code: str) -> tuple[str, str]:
    """(what is wrong, what to do) for any code that a shopper can meet."""
    if code in SESSION_CODES:
        code = PageCode.SESSION_ENDED
    if code in GARMENT_CODES:
        code = PageCode.GARMENT_MISSING
    if code not in PROBLEMS and code in Reason.__members__.values():
        found = reasons.sentences(code)
        return found.wrong, found.advice
    wrong, advice = PROBLEMS.get(code, PROBLEMS[Code.INTERNAL])
    return _(wrong), _(advice)

"""Sentences of the dashboard, except those in its templates."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from gpu_worker.contract import Category, GarmentStatus, TryOnStatus
from server.domain.users import LONGEST_PASSWORD, SHORTEST_PASSWORD
from server.infra.errors import Code, Problem
from server.rendering.words import problems
from server.rendering.words.language import N_
from server.rendering.words.language import gettext as _


@dataclass(frozen=True, slots=True)
class Notice:
    """What happened, and what to do."""

    title: str
    text: str

    def said(self) -> Notice:
        return Notice(_(self.title), _(self.text))


# --- instead of a page ---------------------------------------------------------------------------

BY_STATUS = {
    404: Notice(N_("There is nothing here."), N_("It was deleted, or the address is not right.")),
    429: Notice(N_("That was a lot at once."), N_("Wait a minute, then try again.")),
    500: Notice(N_("Something went wrong on our side."), N_("Try again in a moment.")),
    503: Notice(
        N_("A part of Proteus is away."), N_("It usually is back within a minute. Try again then.")
    ),
}
FAILED = Notice(N_("That did not work."), N_("Go back and try again."))
OUTDATED = Notice(
    N_("This page was open for too long."), N_("Go back, load it anew and try again.")
)
OUTDATED_LOGIN = Notice(N_("This page was open for too long."), N_("Log in again."))


def refused(problem: Problem) -> Notice:
    """A refusal that no form could show beside a field."""
    if problem.status in BY_STATUS:
        return BY_STATUS[problem.status].said()
    return Notice(f"{problems.words(problem.code).title}.", problems.detail(problem))


def failed(status: int) -> Notice:
    return BY_STATUS.get(status, FAILED).said()


# --- log in and account --------------------------------------------------------------------------

WRONG_LOGIN = Notice(
    N_("That email and password don't go together."), N_("Check both and try again.")
)
TOO_MANY_LOGINS = Notice(N_("That was a lot of tries."), N_("Wait a minute, then try again."))


def wrong_password() -> str:
    return _("This is not your password. Check it and try again.")


def passwords_differ() -> str:
    return _("These two differ. Write the new password twice.")


def wrong_length(password: str) -> str:
    if len(password) < SHORTEST_PASSWORD:
        return _("Use a password of at least %(count)s characters.", count=SHORTEST_PASSWORD)
    return _("Use a password of at most %(count)s characters.", count=LONGEST_PASSWORD)


def password_changed() -> str:
    return _("Your password is changed. You are logged out everywhere but here.")


def session_ended(browser: str) -> str:
    return _("%(browser)s is logged out.", browser=browser)


def other_sessions_ended() -> str:
    return _("You are logged out everywhere but here.")


# --- rows ----------------------------------------------------------------------------------------

_STATUSES: dict[str, str] = {
    TryOnStatus.QUEUED: N_("Queued"),
    TryOnStatus.RUNNING: N_("Running"),
    TryOnStatus.SUCCEEDED: N_("Succeeded"),
    TryOnStatus.FAILED: N_("Failed"),
    TryOnStatus.CANCELLED: N_("Cancelled"),
    TryOnStatus.EXPIRED: N_("Expired"),
    GarmentStatus.CLEANING: N_("Cleaning"),
    GarmentStatus.READY: N_("Ready"),
    GarmentStatus.REJECTED: N_("Rejected"),
}


def status(value: str) -> str:
    """Of a try-on or a garment."""
    return _(_STATUSES[value])


def place(position: int, eta_s: float | None) -> str:
    """Where a try-on stands in line, and about when its picture is there; 1 is the next."""
    named = {"place": position, "seconds": ceil(eta_s or 0)}
    if position <= 1:
        return _("Next, about %(seconds)s s", **named) if eta_s else _("Next")
    sentence = N_("Place %(place)s, about %(seconds)s s") if eta_s else N_("Place %(place)s")
    return _(sentence, **named)


# --- garments ------------------------------------------------------------------------------------

_CATEGORIES = {
    Category.UPPER.value: N_("Upper"),
    Category.LOWER.value: N_("Lower"),
    Category.OVERALL.value: N_("Overall"),
}
# What a person reads beside the field when its value is refused.
_FIELDS = {
    "title": N_("Give it a title of at most 200 characters."),
    "sku": N_("Give it the SKU that your shop uses, at most 100 characters."),
    "category": N_("Choose what it dresses."),
    "image_key": N_("Its picture has not arrived. Remove it here and choose it again."),
}
_SKU_TAKEN = N_("You have a garment with this SKU already. Use another one.")
_REFUSED_FIELDS = {
    Code.SKU_TAKEN: ("sku", _SKU_TAKEN),
    Code.UPLOAD_NOT_FOUND: ("image_key", _FIELDS["image_key"]),
    Code.UPLOAD_MISSING: ("image_key", _FIELDS["image_key"]),
    Code.TYPE_MISMATCH: ("image_key", _FIELDS["image_key"]),
}


def categories() -> dict[str, str]:
    return {value: _(word) for value, word in _CATEGORIES.items()}


def wrong_field(name: str) -> str:
    return _(_FIELDS[name])


def refused_field(code: Code) -> tuple[str, str] | None:
    """The field that a refusal is about, and what to read beside it; None where it is none."""
    if code not in _REFUSED_FIELDS:
        return None
    name, sentence = _REFUSED_FIELDS[code]
    return name, _(sentence)


def details_saved() -> str:
    return _("Details saved.")


def garment_deleted(title: str) -> str:
    return _("“%(title)s” and its pictures are deleted.", title=title)


# --- install -------------------------------------------------------------------------------------


def no_origin() -> str:
    return _(
        "This is no shop's address. Write https:// and the host, such as https://shop.example."
    )


def not_https() -> str:
    return _("Use https. Over http, somebody on the way could pretend to be your shop.")


def origin_added(origin: str) -> str:
    return _("Pages of %(origin)s can now open your fitting room.", origin=origin)


def origin_removed(origin: str) -> str:
    return _("Pages of %(origin)s can no longer open your fitting room.", origin=origin)


def key_revoked() -> str:
    return _("The secret key is revoked.")


# --- the first steps -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StepWords:
    title: str
    text: str
    verb: str

    def said(self) -> StepWords:
        return StepWords(_(self.title), _(self.text), _(self.verb))


ADD_GARMENT = StepWords(
    N_("Add your first garment"),
    N_(
        "One clear picture of it is enough, laid flat or on a ghost mannequin, on a plain "
        "ground. Proteus cuts it out."
    ),
    N_("Add garments"),
)
ALLOW_ORIGIN = StepWords(
    N_("Allow your shop's origin"),
    N_("Only pages of the origins that you allow may open your fitting room."),
    N_("Allow an origin"),
)
PASTE_SNIPPET = StepWords(
    N_("Paste the snippet and try something on"),
    N_(
        "This line goes once into each product page, beside a button that names the garment's "
        "SKU. The step is done with the first try-on."
    ),
    N_("Get snippet and button"),
)

"""Title and advice for each error code of the API, written for developers."""

from __future__ import annotations

from dataclasses import dataclass

from server.infra.errors import Code, Problem
from server.rendering.words.language import N_
from server.rendering.words.language import gettext as _


@dataclass(frozen=True, slots=True)
class Words:
    title: str
    detail: str


WORDS: dict[Code, Words] = {
    Code.BAD_REQUEST: Words(N_("Bad request"), N_("The request cannot be read. Check its form.")),
    Code.BAD_JSON: Words(
        N_("Not JSON"), N_("Send a JSON object with Content-Type: application/json.")
    ),
    Code.BAD_CURSOR: Words(N_("Bad cursor"), N_("Use next_cursor of the page before, unchanged.")),
    Code.NOT_AUTHENTICATED: Words(
        N_("Not authenticated"),
        N_("Send Authorization: Bearer with a shopper token or secret key."),
    ),
    Code.BAD_TOKEN: Words(N_("Bad token"), N_("The token is wrong or has run out. Get a new one.")),
    Code.BAD_KEY: Words(N_("Bad secret key"), N_("The secret key is unknown or was revoked.")),
    Code.BAD_BOOT_TOKEN: Words(
        N_("Bad boot token"), N_("The boot token was used already or has run out. Boot again.")
    ),
    Code.NO_SHOPPER: Words(
        N_("No shopper to resume"), N_("There is no boot token and no session to go on with.")
    ),
    Code.ORIGIN_NOT_ALLOWED: Words(
        N_("Origin not allowed"), N_("Add this page's origin to the site's allowed origins.")
    ),
    Code.NOT_ALLOWED: Words(N_("Not allowed"), N_("This caller may not do that.")),
    Code.NOT_FOUND: Words(N_("Not found"), N_("There is nothing here, or it is not yours.")),
    Code.SITE_NOT_FOUND: Words(
        N_("Unknown publishable key"), N_("Copy the key from the dashboard.")
    ),
    Code.PHOTO_NOT_FOUND: Words(
        N_("Photo not found"), N_("It was deleted, ran out, or is not yours.")
    ),
    Code.GARMENT_NOT_FOUND: Words(
        N_("Garment not found"), N_("It was deleted or is not of this site.")
    ),
    Code.TRY_ON_NOT_FOUND: Words(N_("Try-on not found"), N_("It never was, or it is not yours.")),
    Code.UPLOAD_NOT_FOUND: Words(
        N_("Upload not found"), N_("Ask for an upload first, then name its key within the hour.")
    ),
    Code.FILE_NOT_FOUND: Words(
        N_("File not found"), N_("There is no such file, or it is not yours.")
    ),
    Code.METHOD_NOT_ALLOWED: Words(
        N_("Method not allowed"), N_("See Allow for the methods there are.")
    ),
    Code.GONE: Words(N_("Gone"), N_("The picture was deleted or its time has run out.")),
    Code.UPLOAD_MISSING: Words(
        N_("Upload missing"), N_("The file has not arrived. PUT it to the upload's url first.")
    ),
    Code.PHOTO_NOT_READY: Words(
        N_("Photo not ready"), N_("Wait until the photo's status is ready.")
    ),
    Code.PHOTO_REJECTED: Words(
        N_("Photo rejected"), N_("Choose another photo; its reasons say why.")
    ),
    Code.PHOTO_SETTLED: Words(
        N_("Photo is settled"), N_("A person can be chosen only while several_people asks for it.")
    ),
    Code.GARMENT_NOT_READY: Words(
        N_("Garment not ready"), N_("Wait until the garment's status is ready.")
    ),
    Code.GARMENT_REJECTED: Words(
        N_("Garment rejected"), N_("Replace the garment's picture; its reasons say why.")
    ),
    Code.SKU_TAKEN: Words(N_("SKU taken"), N_("Another garment of this site has this SKU.")),
    Code.TRY_ON_FINAL: Words(
        N_("Try-on is over"), N_("Only a queued or running try-on can be cancelled.")
    ),
    Code.BODY_TOO_LARGE: Words(N_("Body too large"), N_("Send at most 64 KiB of JSON.")),
    Code.UNSUPPORTED_MEDIA_TYPE: Words(
        N_("Unsupported media type"), N_("Send JSON with Content-Type: application/json.")
    ),
    Code.INVALID: Words(N_("Invalid request"), N_("Correct the named parameter.")),
    Code.FILE_TOO_LARGE: Words(N_("File too large"), N_("Send a smaller file.")),
    Code.EMPTY_FILE: Words(N_("Empty file"), N_("Send a file that is not empty.")),
    Code.UNSUPPORTED_FORMAT: Words(
        N_("Unsupported format"), N_("Send a JPEG, PNG or WebP picture.")
    ),
    Code.TYPE_MISMATCH: Words(
        N_("Not what was announced"), N_("Type and size must be those that the upload announced.")
    ),
    Code.OPTION_NOT_SUPPORTED: Words(
        N_("Option not supported"),
        N_("Leave the named option out: the engine does not honour it."),
    ),
    Code.PERSON_UNKNOWN: Words(
        N_("No such person"), N_("Choose an index into the photo's people.")
    ),
    Code.ONE_GARMENT_ONLY: Words(
        N_("One garment only"), N_("A try-on takes one garment; send garment_id.")
    ),
    Code.IDEMPOTENCY_KEY_REUSED: Words(
        N_("Idempotency key reused"), N_("This key was used with another body. Use a new key.")
    ),
    Code.RATE_LIMITED: Words(N_("Too many requests"), N_("Wait for Retry-After seconds.")),
    Code.QUEUE_FULL: Words(N_("The queue is full"), N_("Try again after Retry-After seconds.")),
    Code.TOO_MANY_TRY_ONS: Words(
        N_("Too many try-ons at once"), N_("Wait until one of them is finished.")
    ),
    Code.TOO_MANY_PHOTOS: Words(
        N_("Too many photos at once"), N_("Wait until one of them has been checked.")
    ),
    Code.INTERNAL: Words(N_("Internal error"), N_("It is our fault. Quote request_id to us.")),
    Code.UNAVAILABLE: Words(
        N_("Temporarily unavailable"), N_("A part of the service is away. Try again shortly.")
    ),
}


def words(code: Code) -> Words:
    marked = WORDS[code]
    return Words(_(marked.title), _(marked.detail))


def detail(problem: Problem) -> str:
    """The refusal's own sentence where it has one, else that of its code."""
    return problem.detail or words(problem.code).detail

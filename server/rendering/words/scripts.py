"""What the dashboard's JavaScript says, by name: the page hands it over, as `words.js` reads it.

A sentence may hold placeholders (`%(count)s`) that the script fills.
"""

from __future__ import annotations

from gpu_worker.contract import Reason
from server.rendering.words import reasons
from server.rendering.words.language import N_
from server.rendering.words.language import gettext as _

_SENTENCES = {
    "just_now": N_("Just now"),
    "copied": N_("Copied"),
    "copy_refused": N_("Your browser refused. Press Ctrl+C to copy."),
    # the live socket
    "live": N_("Live"),
    "reconnecting": N_("Reconnecting"),
    "not_live": N_("Not live. Load the page again."),
    # adding garments
    "uploaded": N_("Uploaded"),
    "upload_failed": N_("It did not get through."),
    "try_again": N_("Try again"),
    "still_uploading": N_("Some pictures are still uploading. Press again when they are there."),
    "add_all": N_("Add all %(count)s garments"),
    "added": N_("Garment added. It is being cut out now."),
    "failed": N_("That did not work. Try again."),
    "away": N_("Your connection is away. Try again."),
}
# Why a file is refused before it is sent, or by the store: what a merchant reads of it elsewhere.
_REASONS = (Reason.EMPTY_FILE, Reason.FILE_TOO_LARGE, Reason.UNSUPPORTED_FORMAT)


def sentences() -> dict[str, str]:
    said = {name: _(sentence) for name, sentence in _SENTENCES.items()}
    return said | {str(reason): reasons.merchant(reason) for reason in _REASONS}

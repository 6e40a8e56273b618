"""Sentences for every Reason, one for the shopper and one for the merchant, and for photo hints.

Workers send codes, the server owns the sentences. Style: plain, no blame; first what is wrong, then
what to do. A test checks that `SENTENCES` has every `contract.Reason`.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpu_worker.contract import Hint, Reason
from server.rendering.words import limits
from server.rendering.words.language import N_
from server.rendering.words.language import gettext as _


@dataclass(frozen=True, slots=True)
class Sentences:
    """`wrong` and `advice` are what a shopper reads, `merchant` what a merchant does."""

    wrong: str
    advice: str
    merchant: str

    @property
    def shopper(self) -> str:
        return f"{self.wrong} {self.advice}"


SENTENCES: dict[Reason, Sentences] = {
    # the file
    Reason.EMPTY_FILE: Sentences(
        N_("This file is empty."),
        N_("Choose another photo."),
        N_("The file has no content. Upload it again."),
    ),
    Reason.FILE_TOO_LARGE: Sentences(
        N_("This photo is larger than %(largest_file)s."),
        N_("Choose a smaller one."),
        N_("The file is larger than %(largest_file)s. Upload a smaller one."),
    ),
    Reason.NOT_AN_IMAGE: Sentences(
        N_("This file is not a photo."),
        N_("Choose a JPEG, PNG or WebP."),
        N_("The file is not an image. Upload a JPEG, PNG or WebP."),
    ),
    Reason.UNSUPPORTED_FORMAT: Sentences(
        N_("We can't read this kind of picture."),
        N_("Choose a JPEG, PNG or WebP."),
        N_("The format is not supported. Upload a JPEG, PNG or WebP."),
    ),
    Reason.TRUNCATED_IMAGE: Sentences(
        N_("Part of this photo is missing."),
        N_("Choose it again, or take a new one."),
        N_("The file is cut short. Upload it again."),
    ),
    Reason.ANIMATED_IMAGE: Sentences(
        N_("This picture moves."),
        N_("Choose a still photo."),
        N_("The picture is animated. Upload a still one."),
    ),
    Reason.TOO_MANY_PIXELS: Sentences(
        N_("This photo has more pixels than we can handle."),
        N_("Choose a smaller one."),
        N_("The picture has more than %(most_megapixels)s megapixels. Upload a smaller one."),
    ),
    Reason.PICTURE_TOO_COMPLEX: Sentences(
        N_("This photo is stored in a way that takes too long to read."),
        N_("Save it again as an ordinary JPEG, or take a new one."),
        N_(
            "The file takes too much time or memory to read. "
            "Save it again as an ordinary JPEG or PNG."
        ),
    ),
    Reason.IMAGE_TOO_SMALL: Sentences(
        N_("This photo is too small to see you well."),
        N_("Choose one that is at least %(least_side_px)s pixels on each side."),
        N_("The picture is smaller than %(least_side_px)s px on a side. Upload a larger one."),
    ),
    Reason.TYPE_MISMATCH: Sentences(
        N_("This file is not what its name says."),
        N_("Choose another photo, or take a new one."),
        N_("The content is not of the announced type. Upload it with its real type."),
    ),
    Reason.UPLOAD_MISSING: Sentences(
        N_("Your photo did not arrive."),
        N_("Check your connection and choose it again."),
        N_("The file never arrived in the store. Upload it again."),
    ),
    Reason.IMAGE_URL_UNREACHABLE: Sentences(
        N_("We can't get the picture of this item."),
        N_("Try another item."),
        N_("The picture's address did not answer. Check it, or upload the file."),
    ),
    # the person
    Reason.NOBODY_FOUND: Sentences(
        N_("We can't see anyone in this photo."),
        N_("Choose one that shows you from the front, from head to hips."),
        N_("No person was found in the photo."),
    ),
    Reason.SEVERAL_PEOPLE: Sentences(
        N_("There is more than one person in this photo."),
        N_("Tap yourself, or choose a photo with only you in it."),
        N_("There are several people in the photo. Choose one of `people`."),
    ),
    Reason.BACK_VIEW: Sentences(
        N_("You are turned away in this photo."),
        N_("Face the camera and try again."),
        N_("The person is seen from the back."),
    ),
    Reason.IMPLAUSIBLE_POSE: Sentences(
        N_("We can't see your shoulders and arms clearly in this photo."),
        N_("Stand straight with your arms a little away from your body."),
        N_("The pose found in the photo is not plausible for a standing person."),
    ),
    Reason.PERSON_TOO_SMALL: Sentences(
        N_("You are too far away in this photo."),
        N_("Step closer, so that you fill most of it."),
        N_("The person fills too little of the photo."),
    ),
    Reason.PHOTO_TOO_DARK: Sentences(
        N_("This photo is too dark."),
        N_("Take one with light in front of you."),
        N_("The photo is too dark to find the person's outline."),
    ),
    # the garment
    Reason.GARMENT_BACKGROUND_NOT_PLAIN: Sentences(
        N_("This item can't be tried on yet."),
        N_("Try another one."),
        N_("The ground behind the garment is not plain. Use a picture on white or grey."),
    ),
    Reason.GARMENT_ON_MODEL: Sentences(
        N_("This item can't be tried on yet."),
        N_("Try another one."),
        N_("Somebody wears the garment in this picture. Use one of the garment alone."),
    ),
    Reason.GARMENT_NOT_FOUND: Sentences(
        N_("This item can't be tried on yet."),
        N_("Try another one."),
        N_("No garment was found in the picture. Use one that shows it whole, from the front."),
    ),
    # the two together
    Reason.CATEGORY_NOT_SUPPORTED: Sentences(
        N_("This kind of item can't be tried on yet."),
        N_("Try another one."),
        N_("The engine in use does not draw this category."),
    ),
    Reason.CROP_TOO_TIGHT: Sentences(
        N_("Your photo ends too early for this item."),
        N_("Step back, so that your hips and legs are in view too."),
        N_("The photo does not show the part of the body that the garment dresses."),
    ),
    Reason.WOULD_NEED_BARE_LIMBS: Sentences(
        N_("What you wear covers more than this item does, and we won't guess what is beneath."),
        N_("Choose a photo in which your arms or legs show as much as this item leaves free."),
        N_("Large areas of bare arms or legs would have to be invented."),
    ),
    Reason.SELF_CHECK_FAILED: Sentences(
        N_("The picture did not turn out well enough to show you."),
        N_("A photo from the front, with arms a little away from your body, works best."),
        N_("The engine's own check of the picture failed, so it is not shown."),
    ),
    Reason.PICTURE_WITHHELD: Sentences(
        N_("The picture that came out may not be shown."),
        N_("Try another photo."),
        N_("The safety checker flagged this picture and the one drawn after it."),
    ),
    # the service
    Reason.ENGINE_FAILED: Sentences(
        N_("We couldn't make your picture."),
        N_("Try again in a moment."),
        N_("The engine failed on this try-on. It can be tried again."),
    ),
    Reason.WORKER_LOST: Sentences(
        N_("Making your picture was interrupted."),
        N_("Try again in a moment."),
        N_("The worker went away while it drew this picture. It can be tried again."),
    ),
}


HINTS: dict[Hint, str] = {
    Hint.DIM: N_("Your photo is rather dark. With light in front of you colours come out truer."),
    Hint.CROP_ENDS_AT_WAIST: N_(
        "Your photo ends above your legs. Tops work well with it, dresses only as far as it shows "
        "you. For skirts and trousers, step back until your knees are in view."
    ),
    Hint.CROP_ENDS_ABOVE_WAIST: N_(
        "Your photo ends above your waist. For most items, choose one that "
        "shows you at least to your hips."
    ),
    Hint.ARMS_BEFORE_BODY: N_(
        "Your arms are in front of you. Let them hang a little away from your "
        "body, or tops and dresses can't be shown on you."
    ),
}


def hint(word: str) -> str:
    """What could be better, for the shopper; a word from a newer worker says only that."""
    try:
        return _(HINTS[Hint(word)])
    except ValueError:
        return _("Another photo may come out better.")


def sentences(code: str) -> Sentences:
    """The sentences of a code; a code from a newer worker gets those of `engine_failed`."""
    try:
        marked = SENTENCES[Reason(code)]
    except ValueError:
        marked = SENTENCES[Reason.ENGINE_FAILED]
    named = limits.named()
    return Sentences(
        _(marked.wrong, **named), _(marked.advice, **named), _(marked.merchant, **named)
    )


def shopper(code: str) -> str:
    return sentences(code).shopper


def merchant(code: str) -> str:
    return sentences(code).merchant


def to_dict(code: str, *, for_merchant: bool = False) -> dict[str, str]:
    """A reason as it stands in JSON."""
    return {"code": code, "detail": merchant(code) if for_merchant else shopper(code)}

"""A sentence for every Reason: one for the shopper, one for the merchant.

The worker sends codes, the server owns the words, also those of a photo's hints. Plain, no blame:
first what is wrong, then what to do. A test holds `SENTENCES` against `contract.Reason`.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpu_worker.contract import Hint, Reason


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
        "This file is empty.", "Choose another photo.", "The file has no content. Upload it again."
    ),
    Reason.FILE_TOO_LARGE: Sentences(
        "This photo is larger than 10 MB.",
        "Choose a smaller one.",
        "The file is larger than 10 MB. Upload a smaller one.",
    ),
    Reason.NOT_AN_IMAGE: Sentences(
        "This file is not a photo.",
        "Choose a JPEG, PNG or WebP.",
        "The file is not an image. Upload a JPEG, PNG or WebP.",
    ),
    Reason.UNSUPPORTED_FORMAT: Sentences(
        "We can't read this kind of picture.",
        "Choose a JPEG, PNG or WebP.",
        "The format is not supported. Upload a JPEG, PNG or WebP.",
    ),
    Reason.TRUNCATED_IMAGE: Sentences(
        "Part of this photo is missing.",
        "Choose it again, or take a new one.",
        "The file is cut short. Upload it again.",
    ),
    Reason.ANIMATED_IMAGE: Sentences(
        "This picture moves.",
        "Choose a still photo.",
        "The picture is animated. Upload a still one.",
    ),
    Reason.TOO_MANY_PIXELS: Sentences(
        "This photo has more pixels than we can handle.",
        "Choose a smaller one.",
        "The picture has more than 50 megapixels. Upload a smaller one.",
    ),
    Reason.PICTURE_TOO_COMPLEX: Sentences(
        "This photo is stored in a way that takes too long to read.",
        "Save it again as an ordinary JPEG, or take a new one.",
        "The file takes too much time or memory to read. Save it again as an ordinary JPEG or PNG.",
    ),
    Reason.IMAGE_TOO_SMALL: Sentences(
        "This photo is too small to see you well.",
        "Choose one that is at least 256 pixels on each side.",
        "The picture is smaller than 256 px on a side. Upload a larger one.",
    ),
    Reason.TYPE_MISMATCH: Sentences(
        "This file is not what its name says.",
        "Choose another photo, or take a new one.",
        "The content is not of the announced type. Upload it with its real type.",
    ),
    Reason.UPLOAD_MISSING: Sentences(
        "Your photo did not arrive.",
        "Check your connection and choose it again.",
        "The file never arrived in the store. Upload it again.",
    ),
    Reason.IMAGE_URL_UNREACHABLE: Sentences(
        "We can't get the picture of this item.",
        "Try another item.",
        "The picture's address did not answer. Check it, or upload the file.",
    ),
    # the person
    Reason.NOBODY_FOUND: Sentences(
        "We can't see anyone in this photo.",
        "Choose one that shows you from the front, from head to hips.",
        "No person was found in the photo.",
    ),
    Reason.SEVERAL_PEOPLE: Sentences(
        "There is more than one person in this photo.",
        "Tap yourself, or choose a photo with only you in it.",
        "There are several people in the photo. Choose one of `people`.",
    ),
    Reason.BACK_VIEW: Sentences(
        "You are turned away in this photo.",
        "Face the camera and try again.",
        "The person is seen from the back.",
    ),
    Reason.IMPLAUSIBLE_POSE: Sentences(
        "We can't see your shoulders and arms clearly in this photo.",
        "Stand straight with your arms a little away from your body.",
        "The pose found in the photo is not plausible for a standing person.",
    ),
    Reason.PERSON_TOO_SMALL: Sentences(
        "You are too far away in this photo.",
        "Step closer, so that you fill most of it.",
        "The person fills too little of the photo.",
    ),
    Reason.PHOTO_TOO_DARK: Sentences(
        "This photo is too dark.",
        "Take one with light in front of you.",
        "The photo is too dark to find the person's outline.",
    ),
    # the garment
    Reason.GARMENT_BACKGROUND_NOT_PLAIN: Sentences(
        "This item can't be tried on yet.",
        "Try another one.",
        "The ground behind the garment is not plain. Use a picture on white or grey.",
    ),
    Reason.GARMENT_ON_MODEL: Sentences(
        "This item can't be tried on yet.",
        "Try another one.",
        "Somebody wears the garment in this picture. Use one of the garment alone.",
    ),
    Reason.GARMENT_NOT_FOUND: Sentences(
        "This item can't be tried on yet.",
        "Try another one.",
        "No garment was found in the picture. Use one that shows it whole, from the front.",
    ),
    # the two together
    Reason.CATEGORY_NOT_SUPPORTED: Sentences(
        "This kind of item can't be tried on yet.",
        "Try another one.",
        "The engine in use does not draw this category.",
    ),
    Reason.CROP_TOO_TIGHT: Sentences(
        "Your photo ends too early for this item.",
        "Step back, so that your hips and legs are in view too.",
        "The photo does not show the part of the body that the garment dresses.",
    ),
    Reason.WOULD_NEED_BARE_LIMBS: Sentences(
        "What you wear covers more than this item does, and we won't guess what is beneath.",
        "Choose a photo in which your arms or legs show as much as this item leaves free.",
        "Large areas of bare arms or legs would have to be invented.",
    ),
    Reason.SELF_CHECK_FAILED: Sentences(
        "The picture did not turn out well enough to show you.",
        "A photo from the front, with arms a little away from your body, works best.",
        "The engine's own check of the picture failed, so it is not shown.",
    ),
    Reason.PICTURE_WITHHELD: Sentences(
        "The picture that came out may not be shown.",
        "Try another photo.",
        "The safety checker flagged this picture and the one drawn after it.",
    ),
    # the service
    Reason.ENGINE_FAILED: Sentences(
        "We couldn't make your picture.",
        "Try again in a moment.",
        "The engine failed on this try-on. It can be tried again.",
    ),
    Reason.WORKER_LOST: Sentences(
        "Making your picture was interrupted.",
        "Try again in a moment.",
        "The worker went away while it drew this picture. It can be tried again.",
    ),
}


HINTS: dict[Hint, str] = {
    Hint.DIM: "Your photo is rather dark. With light in front of you colours come out truer.",
    Hint.CROP_ENDS_AT_WAIST: "Your photo ends above your legs. Tops work well with it, dresses "
    "only as far as it shows you. For skirts and trousers, step back until your knees are in view.",
    Hint.CROP_ENDS_ABOVE_WAIST: "Your photo ends above your waist. For most items, choose one that "
    "shows you at least to your hips.",
    Hint.ARMS_BEFORE_BODY: "Your arms are in front of you. Let them hang a little away from your "
    "body, or tops and dresses can't be shown on you.",
}


def hint(word: str) -> str:
    """What could be better, for the shopper; a word from a newer worker says only that."""
    try:
        return HINTS[Hint(word)]
    except ValueError:
        return "Another photo may come out better."


def sentences(code: str) -> Sentences:
    """The sentences of a code; a code from a newer worker gets those of `engine_failed`."""
    try:
        return SENTENCES[Reason(code)]
    except ValueError:
        return SENTENCES[Reason.ENGINE_FAILED]


def shopper(code: str) -> str:
    return sentences(code).shopper


def merchant(code: str) -> str:
    return sentences(code).merchant


def to_dict(code: str, *, for_merchant: bool = False) -> dict[str, str]:
    """A reason as it stands in JSON."""
    return {"code": code, "detail": merchant(code) if for_merchant else shopper(code)}

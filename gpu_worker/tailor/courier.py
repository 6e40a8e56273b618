"""The tailor's courier: reads uploads, decoded in confined children; stores clean copies and parts.

Knows store, pictures and the contract. The upload, whose metadata may hold a place and a name, is
deleted as soon as the outcome has been sent.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpu_worker.contract import EventData, EventType, GarmentJob, Job, PhotoJob, Reason
from gpu_worker.decoders import Decoders
from gpu_worker.engine import Parts, Pixels, Refusal
from gpu_worker.storage.courier import Charge, Outcome, read_object
from gpu_worker.storage.store import Store
from gpu_worker.tailor.orders import Fitted, GarmentOrder, PhotoOrder
from gpu_worker.vision import images

PHOTO_QUALITY = 95
QUESTION = "question"  # metadata beside the outcome: the hash of the job's input


@dataclass(frozen=True, slots=True)
class Limits:
    """How large an upload may be, and its shorter side at least; the clean copy's longer side."""

    max_upload_bytes: int
    min_side_px: int
    max_side_px: int


class TailorCourier:
    """Input and output of photo and garment jobs. Used by the worker's carrier threads."""

    def __init__(self, store: Store, decoders: Decoders, limits: Limits):
        self._store = store
        self._decoders = decoders
        self._limits = limits

    def outcome(self, job: Job) -> Outcome | None:
        """The outcome, if an earlier run has already stored one for this very input."""
        job = _tailored(job)
        if isinstance(job, GarmentJob) and job.upload_key is None:
            return Outcome(EventType.CANCELLED, {})  # an earlier release's job: the fetcher's now
        metadata = self._store.metadata(_last_key(job)) or {}
        return Outcome.from_metadata(metadata) if metadata.get(QUESTION) == question(job) else None

    def fetch(self, job: Job, charge: Charge) -> PhotoOrder | GarmentOrder:
        job = _tailored(job)
        if isinstance(job, PhotoJob):
            return self._photo(job, charge)
        return self._garment(job, charge)

    def renew(self, order: PhotoOrder | GarmentOrder) -> PhotoOrder | GarmentOrder:
        return order  # nothing in it changes

    def deliver(self, job: Job, product: Fitted, model_ms: int) -> Outcome:
        """Stores everything. The last object carries the outcome as metadata, so that an outcome
        that exists is complete."""
        job = _tailored(job)
        outcome = Outcome(product.type, product.data)
        mark = {QUESTION: question(job), **outcome.to_metadata()}
        if product.parts:
            self._store.put(job.parts_key, save_parts(product.parts), "application/octet-stream")
        if isinstance(job, PhotoJob):
            clean = images.encode_jpeg(product.pixels, PHOTO_QUALITY)
            self._store.put(job.clean_key, clean, "image/jpeg", mark)
        else:
            self._store.put(job.clean_key, images.encode_png(product.pixels), "image/png")
            self._store.put(job.cutout_key, _png(product.cutout), "image/png", mark)
        return outcome

    def store_partial(self, _job: Job, _pixels: Pixels) -> str | None:
        """None: the tailor has no partial pictures."""
        return None

    def withdraw(self, _job: Job) -> None:
        """Nothing to do: there are no partial pictures."""

    def refused(self, job: Job, reason: Reason, data: EventData, retryable: bool) -> Outcome:
        said: EventData = {"reasons": [reason.value], "people": data.get("people", [])}
        return Outcome(EventType.REJECTED, said)

    def tidy(self, job: Job) -> None:
        """Deletes the upload, whatever the outcome."""
        key = _tailored(job).upload_key
        if key is not None:
            self._store.delete(key)

    def close(self) -> None:
        self._decoders.close()

    def _photo(self, job: PhotoJob, charge: Charge) -> PhotoOrder:
        if job.person is not None:  # she has picked herself in the clean copy, which is stored
            kept = read_object(self._store, job.clean_key)
            return PhotoOrder(job.id, images.decode(kept).pixels, job.person)
        data = read_object(self._store, job.upload_key, self._limits.max_upload_bytes)
        refuse_other_type(data, job.content_type)
        return PhotoOrder(job.id, self._decode(job, data, charge).pixels)

    def _garment(self, job: GarmentJob, charge: Charge) -> GarmentOrder:
        if job.upload_key is None:
            raise Refusal(Reason.UPLOAD_MISSING, "no key")
        found = self._decode(job, self._upload_or_clean(job, job.upload_key), charge)
        return GarmentOrder(job.id, found.pixels, found.alpha, job.category, job.clean)

    def _upload_or_clean(self, job: GarmentJob, upload_key: str) -> bytes:
        """The upload, or the clean copy once that is deleted: a garment may be cleaned again."""
        try:
            return read_object(self._store, upload_key, self._limits.max_upload_bytes)
        except Refusal as refusal:
            if refusal.reason is not Reason.UPLOAD_MISSING:
                raise
        return read_object(self._store, job.clean_key)

    def _decode(self, job: Job, data: bytes, charge: Charge) -> images.Decoded:
        sides = self._limits.min_side_px, self._limits.max_side_px
        return self._decoders.decode(data, *sides, owner=job.merchant_id, charge=charge)


def refuse_other_type(data: bytes, content_type: str) -> None:
    """Refuses bytes of another format than was declared when the upload was signed.

    Raises:
        Refusal: type_mismatch, or what `images.sniff` raises for bytes that are no such picture.
    """
    found = images.CONTENT_TYPES[images.sniff(data)]
    if found != content_type:
        raise Refusal(Reason.TYPE_MISMATCH, f"{found}, declared {content_type}")


def save_parts(parts: Parts) -> bytes:
    """Arrays by name as npz; `gpu_worker.storage.courier.load_parts` reads them."""
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **dict(parts))
    return out.getvalue()


def question(job: PhotoJob | GarmentJob) -> str:
    """A hash of the job's input: with another upload, person or category, an earlier outcome does
    not count."""
    if isinstance(job, PhotoJob):
        asked: tuple[object, ...] = (job.upload_key, job.person)
    else:
        asked = (job.upload_key, job.category.value, job.clean)
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:32]


def _last_key(job: PhotoJob | GarmentJob) -> str:
    return job.clean_key if isinstance(job, PhotoJob) else job.cutout_key


def _png(cutout: NDArray[np.uint8] | None) -> bytes:
    if cutout is None:
        raise ValueError("a garment without a cut-out")
    return images.encode_png(cutout[:, :, :3], cutout[:, :, 3])


def _tailored(job: Job) -> PhotoJob | GarmentJob:
    if not isinstance(job, (PhotoJob, GarmentJob)):
        raise Refusal(Reason.ENGINE_FAILED, f"a {job.KIND} job in the tailor's queue")
    return job

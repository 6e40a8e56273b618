"""Carries for the tailor: uploads in, decoded under guards; clean pictures and parts out.

Knows store, pictures and the contract. A photo's upload, which may hold a place and a name, is
deleted as soon as its fate has been told.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from gpu_worker import images
from gpu_worker.contract import EventType, GarmentJob, Job, PhotoJob, Reason
from gpu_worker.courier import Outcome, read_object
from gpu_worker.engine import Parts, Refusal
from gpu_worker.fetch import Fetcher
from gpu_worker.storage import Store
from gpu_worker.tailor.orders import Fitted, GarmentOrder, PhotoOrder

PHOTO_QUALITY = 95


@dataclass(frozen=True, slots=True)
class Limits:
    """What an upload may be, and how large the clean copy is at most."""

    max_upload_bytes: int
    min_side_px: int
    max_side_px: int


class TailorCourier:
    """Photos and garments."""

    def __init__(self, store: Store, fetcher: Fetcher, limits: Limits):
        self._store = store
        self._fetcher = fetcher
        self._limits = limits

    def outcome(self, job: Job) -> Outcome | None:
        """What an earlier worker stored for this very question: for a photo, this `person`."""
        job = _tailored(job)
        found = Outcome.from_metadata(self._store.metadata(job.clean_key))
        person = job.person if isinstance(job, PhotoJob) else None
        if found is None or found.data.get("person") != person:
            return None
        return Outcome(found.type, {k: v for k, v in found.data.items() if k != "person"})

    def fetch(self, job: Job) -> PhotoOrder | GarmentOrder:
        job = _tailored(job)
        return self._photo(job) if isinstance(job, PhotoJob) else self._garment(job)

    def renew(self, order: PhotoOrder | GarmentOrder) -> PhotoOrder | GarmentOrder:
        return order  # nothing in it changes

    def deliver(self, job: Job, product: Fitted, model_ms: int) -> Outcome:
        """Stores all there is; the clean picture last, with the outcome on it."""
        job = _tailored(job)
        outcome = Outcome(product.type, product.data)
        if product.parts:
            self._store.put(job.parts_key, save_parts(product.parts), "application/octet-stream")
        if isinstance(job, PhotoJob):
            clean = images.encode_jpeg(product.pixels, PHOTO_QUALITY)
            self._store.put(job.clean_key, clean, "image/jpeg", _mark(outcome, job.person))
            return outcome
        if product.cutout is not None:
            rgb, alpha = product.cutout[:, :, :3], product.cutout[:, :, 3]
            self._store.put(job.cutout_key, images.encode_png(rgb, alpha), "image/png")
        clean = images.encode_png(product.pixels)
        self._store.put(job.clean_key, clean, "image/png", _mark(outcome, None))
        return outcome

    def refused(self, job: Job, reason: Reason, data: dict[str, Any], retryable: bool) -> Outcome:
        said = {"reasons": [reason.value], "people": data.get("people", [])}
        return Outcome(EventType.REJECTED, said)

    def tidy(self, job: Job) -> None:
        """A photo's original is gone, whatever became of it; it may say where she lives. A
        garment's stays with its row: another category has it cleaned again."""
        if isinstance(job, PhotoJob):
            self._store.delete(job.upload_key)

    def _photo(self, job: PhotoJob) -> PhotoOrder:
        if job.person is not None:  # she points at herself: the clean copy is already there
            kept = read_object(self._store, job.clean_key)
            return PhotoOrder(job.id, images.decode(kept).pixels, job.person)
        data = read_object(self._store, job.upload_key, self._limits.max_upload_bytes)
        refuse_other_type(data, job.content_type)
        return PhotoOrder(job.id, self._decode(data).pixels)

    def _garment(self, job: GarmentJob) -> GarmentOrder:
        if job.image_url is not None:
            data = self._fetcher.fetch(job.image_url)
        elif job.upload_key is not None:
            data = read_object(self._store, job.upload_key, self._limits.max_upload_bytes)
        else:
            raise Refusal(Reason.UPLOAD_MISSING, "neither key nor URL")
        found = self._decode(data)
        return GarmentOrder(job.id, found.pixels, found.alpha, job.category, job.clean)

    def _decode(self, data: bytes) -> images.Decoded:
        return images.decode(data, self._limits.min_side_px, self._limits.max_side_px)


def refuse_other_type(data: bytes, content_type: str) -> None:
    """Refuses bytes of another format than was declared when the upload was signed.

    Raises:
        Refusal: type_mismatch, or what `images.sniff` says of bytes that are no picture of ours.
    """
    found = images.CONTENT_TYPES[images.sniff(data)]
    if found != content_type:
        raise Refusal(Reason.TYPE_MISMATCH, f"{found}, declared {content_type}")


def save_parts(parts: Parts) -> bytes:
    """Arrays by name as npz; `gpu_worker.courier.load_parts` reads them."""
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **dict(parts))
    return out.getvalue()


def _mark(outcome: Outcome, person: int | None) -> dict[str, str]:
    return Outcome(outcome.type, {**outcome.data, "person": person}).to_metadata()


def _tailored(job: Job) -> PhotoJob | GarmentJob:
    if not isinstance(job, (PhotoJob, GarmentJob)):
        raise Refusal(Reason.ENGINE_FAILED, f"a {job.KIND} job in the tailor's queue")
    return job

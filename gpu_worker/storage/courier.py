"""Couriers: input and output adapters of a job, between the object store and an engine.

Know store, pictures and the contract; no queue and no engine.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np

from gpu_worker.contract import EventData, EventType, Job, Reason, TryOnJob
from gpu_worker.engine import Order, Parts, Picture, Pixels, Refusal, SeededNoise
from gpu_worker.storage.store import ObjectMissingError, ObjectTooLargeError, Store
from gpu_worker.vision import images

MAX_OBJECT_BYTES = 100_000_000
PARTIAL_SIDE_PX = 512
Charge = Callable[[float], None]  # adds ms of work to what the job's merchant is charged
OUTCOME = "outcome"  # metadata of the object that is stored last, by which a repeated job is known


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: type and data of its final event."""

    type: EventType
    data: EventData

    def to_metadata(self) -> dict[str, str]:
        return {OUTCOME: json.dumps({"type": self.type, "data": self.data})}

    @classmethod
    def from_metadata(cls, metadata: dict[str, str] | None) -> Outcome | None:
        text = (metadata or {}).get(OUTCOME)
        if text is None:
            return None
        body = json.loads(text)
        return cls(EventType(body["type"]), body["data"])


O = TypeVar("O")
P_contra = TypeVar("P_contra", contravariant=True)


class Courier(Protocol[O, P_contra]):
    """What the worker calls for each job, in this order, from many threads at once.

    `O`: the order it fetches for the engine; `P_contra`: what the engine makes of it. Whatever
    uses the store may raise StoreAwayError.
    """

    def outcome(self, job: Job) -> Outcome | None:
        """How the job ended, if an earlier worker has already stored its result; else None."""
        ...

    def fetch(self, job: Job, charge: Charge) -> O:
        """The order for the engine. Calls `charge` with the cost of its work, also where it fails.

        Raises:
            Refusal: the inputs cannot be had or read.
        """
        ...

    def renew(self, order: O) -> O:
        """The same order as it was before an engine touched it."""
        ...

    def store_partial(self, job: Job, pixels: Pixels) -> str | None:
        """Stores a partial picture of a job under way; returns its key, None if nobody looks at
        one."""
        ...

    def withdraw(self, job: Job) -> None:
        """Deletes a partial picture that was stored after the job's end was announced."""
        ...

    def deliver(self, job: Job, product: P_contra, model_ms: int) -> Outcome:
        """Stores what the engine made; the object stored last has the outcome as metadata."""
        ...

    def refused(self, job: Job, reason: Reason, data: EventData, retryable: bool) -> Outcome:
        """The outcome of a job that cannot be done."""
        ...

    def tidy(self, job: Job) -> None:
        """After the event was sent: deletes what the job alone needed."""
        ...

    def close(self) -> None:
        """At the worker's end."""
        ...


AnyCourier: TypeAlias = Courier[Any, Any]  # the worker knows no engine's types


class TryOnCourier:
    """The courier of try-on engines: photo and garment in, picture out."""

    def __init__(self, store: Store, engine: str, is_preview: bool):
        self._store = store
        self._engine = engine
        self._is_preview = is_preview
        self._label = images.Label(engine, is_preview)

    def outcome(self, job: Job) -> Outcome | None:
        return Outcome.from_metadata(self._store.metadata(_try_on(job).result_key))

    def fetch(self, job: Job, charge: Charge) -> Order:
        """Charges nothing: a try-on costs its engine's time alone."""
        job = _try_on(job)
        return Order(
            id=job.id,
            photo=self._picture(job.photo_key),
            garment=self._picture(job.garment_key),
            category=job.category,
            noise=SeededNoise(job.seed),
            options=job.options,
            mask=self._picture(job.mask_key)[:, :, 0] if job.mask_key else None,
            photo_parts=self._parts(job.photo_parts_key),
            garment_parts=self._parts(job.garment_parts_key),
            seed=job.seed,
        )

    def renew(self, order: Order) -> Order:
        return replace(order, noise=SeededNoise(order.seed))

    def store_partial(self, job: Job, pixels: Pixels) -> str | None:
        key = _try_on(job).partial_key
        if key is not None:
            small = images.bounded(pixels, PARTIAL_SIDE_PX)
            data = images.encode_jpeg(small, quality=80, label=self._label)
            self._store.put(key, data, "image/jpeg")
        return key

    def withdraw(self, job: Job) -> None:
        key = _try_on(job).partial_key
        if key is not None:
            self._store.delete(key)

    def deliver(self, job: Job, product: Picture, model_ms: int) -> Outcome:
        job = _try_on(job)
        height, width = product.pixels.shape[:2]
        outcome = Outcome(
            EventType.SUCCEEDED,
            {
                "width": width,
                "height": height,
                "engine": self._engine,
                "is_preview": self._is_preview,
                "tier": product.tier,
                "seed": job.seed,
                "model_ms": model_ms,
            },
        )
        data = images.encode_jpeg(product.pixels, quality=92, label=self._label)
        self._store.put(job.result_key, data, "image/jpeg", outcome.to_metadata())
        return outcome

    def refused(self, job: Job, reason: Reason, data: EventData, retryable: bool) -> Outcome:
        return Outcome(EventType.FAILED, {"code": reason.value, "retryable": retryable})

    def tidy(self, job: Job) -> None:
        """Nothing to delete: photo and garment belong to the server."""

    def close(self) -> None:
        """Nothing is held."""

    def _picture(self, key: str) -> Pixels:
        return images.decode(read_object(self._store, key)).pixels

    def _parts(self, key: str | None) -> Parts:
        """The arrays that the tailor found, if they are stored: an engine computes missing ones."""
        if key is None:
            return {}
        try:
            return load_parts(self._store.get(key, MAX_OBJECT_BYTES))
        except ObjectMissingError:
            return {}


def read_object(store: Store, key: str, max_bytes: int = MAX_OBJECT_BYTES) -> bytes:
    """An object's bytes.

    Raises:
        Refusal: it is gone (a photo may be deleted while its job waits) or too large.
    """
    try:
        return store.get(key, max_bytes)
    except ObjectMissingError:
        raise Refusal(Reason.UPLOAD_MISSING, key) from None
    except ObjectTooLargeError:
        raise Refusal(Reason.FILE_TOO_LARGE, key) from None


def load_parts(data: bytes) -> Parts:
    """Arrays by name, as the tailor saved them; never runs code (`allow_pickle=False`)."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _try_on(job: Job) -> TryOnJob:
    if not isinstance(job, TryOnJob):
        raise Refusal(Reason.ENGINE_FAILED, f"a {job.KIND} job in a try-on queue")
    return job

"""Partial pictures of a try-on under way, through a real worker and store: never after the end."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from gpu_worker.contract import EventType, Job, Lane
from gpu_worker.engine import Pixels
from gpu_worker.engines.null import NullSample, RecordingEngine
from gpu_worker.storage.courier import TryOnCourier
from tests import workshop
from tests.waiting import wait_for
from tests.workshop import Workshop

KEY = "pictures/try_1.partial.jpg"


class DrawingPartials(RecordingEngine):
    """Its partial picture is larger than anybody needs."""

    def partial(self, sample: NullSample) -> Pixels:  # type: ignore[override]
        return np.full((1024, 768, 3), 10 * sample.step, np.uint8)


def courier(shop: Workshop) -> TryOnCourier:
    return TryOnCourier(shop.store, "null", is_preview=True)


def told(shop: Workshop, job_id: str = "try_1") -> list[EventType]:
    kinds = [event.type for event in shop.events(job_id)]
    return [kind for kind in kinds if kind is not EventType.RUNNING]


def test_a_rough_picture_is_stored_and_told_while_it_runs(shop: Workshop) -> None:
    shop.enqueue("try_1", partial_key=KEY)
    with workshop.working(shop, DrawingPartials(a_ms=20, steps=20), courier(shop), partials=(0.4,)):
        shop.wait_until_settled()
    assert told(shop) == [EventType.PARTIAL, EventType.SUCCEEDED]
    (event,) = [event for event in shop.events("try_1") if event.type is EventType.PARTIAL]
    assert event.data == {"key": KEY}
    data = shop.store.get(KEY, 10**6)
    image = Image.open(io.BytesIO(data))
    assert image.size == (384, 512)
    assert abs(image.getpixel((9, 9))[0] - 80) <= 2  # type: ignore[index]
    assert b"compositeSynthetic" in data


def test_nobody_watches_bulk_or_a_job_without_a_place_for_it(shop: Workshop) -> None:
    shop.enqueue("try_1")
    shop.enqueue("bulk_1", lane=Lane.BULK, partial_key="pictures/bulk_1.partial.jpg")
    with workshop.working(shop, DrawingPartials(steps=5), courier(shop)):
        shop.wait_until_settled()
    assert told(shop) == told(shop, "bulk_1") == [EventType.SUCCEEDED]


class Late(TryOnCourier):
    """Its store takes a partial only after the picture was told."""

    shop: Workshop

    def store_partial(self, job: Job, pixels: Pixels) -> str | None:
        wait_for(lambda: EventType.SUCCEEDED in told(self.shop))
        return super().store_partial(job, pixels)


def test_a_rough_picture_that_comes_too_late_is_removed_and_not_told(shop: Workshop) -> None:
    late = Late(shop.store, "null", is_preview=True)
    late.shop = shop
    shop.enqueue("try_1", partial_key=KEY)
    removed: list[Any] = []
    withdraw = late.withdraw
    late.withdraw = lambda job: removed.append(withdraw(job))  # type: ignore[method-assign]
    with workshop.working(shop, DrawingPartials(steps=5), late):
        shop.wait_until_settled()
        wait_for(lambda: removed)
    assert told(shop) == [EventType.SUCCEEDED]
    assert shop.store.metadata(KEY) is None


class Hollow(DrawingPartials):
    def partial(self, sample: NullSample) -> Pixels:  # type: ignore[override]
        raise RuntimeError("no")


def test_an_engine_that_fails_to_draw_a_partial_picture_still_draws(shop: Workshop) -> None:
    shop.enqueue("try_1", partial_key=KEY)
    with workshop.working(shop, Hollow(steps=5), courier(shop)):
        shop.wait_until_settled()
    assert told(shop) == [EventType.SUCCEEDED]

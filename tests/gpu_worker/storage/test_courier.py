"""What a try-on's courier fetches and stores, against a real store."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gpu_worker.contract import EventType, Options, Reason
from gpu_worker.engine import Picture, Refusal
from gpu_worker.storage.courier import TryOnCourier, load_parts
from gpu_worker.tailor.courier import save_parts
from tests.workshop import Workshop, jpeg


def free(ms: float) -> None:
    """What a try-on pays for is its engine's time."""
    raise AssertionError(f"charged {ms} ms")


@pytest.fixture
def courier(shop: Workshop) -> TryOnCourier:
    return TryOnCourier(shop.store, "null", is_preview=True)


def test_an_order_has_all_that_the_job_names(shop: Workshop, courier: TryOnCourier) -> None:
    mask = np.zeros((128, 96), np.uint8)
    mask[:64] = 255
    out = io.BytesIO()
    Image.fromarray(mask).save(out, "PNG")
    shop.store.put("mask.png", out.getvalue(), "image/png")
    parts: dict[str, Any] = {
        "frame": np.arange(6, dtype=np.int32),
        "person": np.eye(3, dtype=np.uint8),
    }
    shop.store.put("parts.npz", save_parts(parts), "application/octet-stream")
    job = shop.job(
        "try_1", mask_key="mask.png", photo_parts_key="parts.npz", seed=3, guidance_scale=2
    )
    order = courier.fetch(job, free)
    assert order.photo.shape == (128, 96, 3)
    assert order.mask is not None
    assert (order.mask == mask).all()
    assert {name: array.tolist() for name, array in order.photo_parts.items()} == {
        name: array.tolist() for name, array in parts.items()
    }
    assert (order.seed, order.options, order.garment_parts) == (3, Options(guidance_scale=2), {})


def test_parts_that_are_gone_are_read_anew_by_the_engine(
    shop: Workshop, courier: TryOnCourier
) -> None:
    assert courier.fetch(shop.job("try_1", photo_parts_key="gone.npz"), free).photo_parts == {}


@pytest.mark.parametrize("key", ["photo_key", "garment_key", "mask_key"])
def test_a_picture_that_is_gone_is_refused(shop: Workshop, courier: TryOnCourier, key: str) -> None:
    with pytest.raises(Refusal) as refused:
        courier.fetch(shop.job("try_1", **{key: "gone.jpg"}), free)
    assert refused.value.reason is Reason.UPLOAD_MISSING


def test_a_renewed_order_draws_the_same_noise(shop: Workshop, courier: TryOnCourier) -> None:
    order = courier.fetch(shop.job("try_1", seed=5), free)
    first = order.noise.draw("latents", (4,))
    assert (courier.renew(order).noise.draw("latents", (4,)) == first).all()
    assert (order.noise.draw("latents", (4,)) != first).any()


def test_a_result_is_stored_with_its_outcome(shop: Workshop, courier: TryOnCourier) -> None:
    job = shop.job("try_1")
    assert courier.outcome(job) is None
    told = courier.deliver(job, Picture(np.zeros((8, 6, 3), np.uint8), "full"), model_ms=12)
    assert told.type == EventType.SUCCEEDED
    assert (told.data["width"], told.data["height"], told.data["model_ms"]) == (6, 8, 12)
    assert courier.outcome(job) == told


def test_parts_never_run_code() -> None:
    out = io.BytesIO()
    np.savez(out, evil=np.array([object()], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        load_parts(out.getvalue())


def test_what_a_key_holds_is_checked_again(shop: Workshop, courier: TryOnCourier) -> None:
    shop.store.put("photo.jpg", jpeg()[:200], "image/jpeg")
    with pytest.raises(Refusal) as refused:
        courier.fetch(shop.job("try_1"), free)
    assert refused.value.reason is Reason.TRUNCATED_IMAGE


def test_a_job_of_another_kind_is_refused(courier: TryOnCourier) -> None:
    from tests.tailoring import photo_job

    job: Any = photo_job()
    with pytest.raises(Refusal):
        courier.fetch(job, free)

"""A garment is encoded once, whoever needs it, and the picture never depends on that."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from gpu_worker.engines.catvton.engine import CatvtonEngine
from gpu_worker.engines.catvton.garments import GarmentCache, pack, unpack
from gpu_worker.storage.garment_objects import GarmentObjects
from tests.gpu_worker.engines.catvton.drawing import RUNG, SMALL_RUNG, engine_of, order, tiny_model
from tests.waiting import wait_for
from tests.workshop import Workshop

LATENTS = torch.arange(24, dtype=torch.float32).reshape(4, 2, 3)


class SharedInMemory:
    """A dict for a store."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def take(self, key: str) -> bytes | None:
        return self.kept.get(key)

    def put(self, key: str, data: bytes) -> None:
        self.kept[key] = data


def engine(weights: Path, shared_store: SharedInMemory | None = None) -> CatvtonEngine:
    return engine_of(tiny_model(weights), garments=GarmentCache(4, shared_store))


def test_the_picture_does_not_depend_on_where_the_garment_came_from(tiny_weights: Path) -> None:
    shared_store = SharedInMemory()
    first = engine(tiny_weights, shared_store)
    fresh, remembered = (first.admit(order(1)).conditions for _ in range(2))
    assert len(shared_store.kept) == 1
    shared = engine(tiny_weights, shared_store).admit(order(1)).conditions
    without = engine(tiny_weights).admit(order(1)).conditions
    for conditions in (remembered, shared, without):
        assert torch.equal(conditions, fresh)


def test_it_is_taken_from_the_shared_store_indeed(tiny_weights: Path) -> None:
    shared_store = SharedInMemory()
    engine(tiny_weights, shared_store).admit(order(1))
    (key,) = shared_store.kept
    latents = unpack(shared_store.kept[key], (4, 12, 8))
    assert latents is not None
    shared_store.kept[key] = pack(torch.zeros_like(latents))
    conditions = engine(tiny_weights, shared_store).admit(order(1)).conditions
    assert (conditions[1][:, :, 8:] == 0).all()


def test_each_size_and_each_encoder_has_its_own(tiny_weights: Path) -> None:
    shared_store = SharedInMemory()
    first = engine(tiny_weights, shared_store)
    for tier in (RUNG, SMALL_RUNG):
        first.admit(order(1, tier=tier))
    assert len(shared_store.kept) == 2
    model = tiny_model(tiny_weights)
    with torch.no_grad():
        model.vae.encoder.conv_in.bias.add_(0.1)
    engine_of(model, garments=GarmentCache(4, shared_store)).admit(order(1))
    assert len(shared_store.kept) == 3


def test_each_kind_of_device_has_its_own(
    tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU rounds otherwise than a CPU, and whose latents lie in the store would be chance."""
    model = tiny_model(tiny_weights)
    here = model.encoder_key()
    assert model.encoder_key() == here
    monkeypatch.setattr("gpu_worker.engines.catvton.model.name_of", lambda _device: "another")
    assert model.encoder_key() != here


def test_the_least_recently_used_go_first() -> None:
    cache = GarmentCache(size=2)
    encoded: list[str] = []

    def encode(key: str) -> torch.Tensor:
        encoded.append(key)
        return LATENTS

    for key in ("a", "b", "a", "c", "a", "b"):
        cache.get(key, (4, 2, 3), partial(encode, key))
    assert encoded == ["a", "b", "c", "b"]
    assert len(cache) == 2


def test_what_is_packed_is_unpacked_bit_for_bit() -> None:
    unpacked = unpack(pack(LATENTS / 3), (4, 2, 3))
    assert unpacked is not None
    assert torch.equal(unpacked, LATENTS / 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 no array",
        pack(LATENTS)[:-4],
        pack(LATENTS[:3]),
        pack(LATENTS * float("nan")),
        pack(LATENTS).replace(b"<f4", b"<i4"),
    ],
)
def test_what_is_no_such_array_is_not_taken(data: bytes) -> None:
    assert unpack(data, (4, 2, 3)) is None


def test_latents_are_shared_through_the_store(shop: Workshop) -> None:
    objects = GarmentObjects(shop.store)
    assert objects.take("e/64x96/a") is None
    objects.put("e/64x96/a", pack(LATENTS))
    data = wait_for(lambda: objects.take("e/64x96/a"))
    assert np.array_equal(unpack(data, (4, 2, 3)), LATENTS)  # type: ignore[arg-type]
    assert shop.store.get("cache/garments/e/64x96/a.npy", 10**6) == data

"""CatVTON behind the real worker: real Redis, real store, small random weights."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gpu_worker.__main__ import main
from gpu_worker.contract import EventType
from gpu_worker.weights.disk import Lock
from gpu_worker.weights.sources import ATTENTION_FILE, SOURCES, Kind
from tests.services import S3Settings
from tests.waiting import wait_for
from tests.workshop import Workshop, pixels, said, workshop

TIERS = "full:3:64x96,small:2:32x48"
ATTENTION = f"{SOURCES[Kind.MASKFREE].attention.repository}/{ATTENTION_FILE}"


@pytest.fixture(params=["catvton-maskfree", "catvton-inpaint"])
def served(
    request: pytest.FixtureRequest, redis_url: str, store: S3Settings, tmp_path: Path
) -> Iterator[Workshop]:
    with workshop(redis_url, store, tmp_path, request.param) as made:
        yield made


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.timeout(600)
def test_a_shopper_gets_her_picture_and_the_seed_alone_decides_it(
    served: Workshop, tiny_weights: Path
) -> None:
    served.store.put("mask.png", white_png(), "image/png")
    served.start(
        PROTEUS_WEIGHTS_DIR=str(tiny_weights),
        PROTEUS_TIERS=TIERS,
        PROTEUS_TARGET_S="3600",  # or a busy machine is served on a lower rung
        PROTEUS_MAX_SLOTS="2",  # each batch size is warmed up at each size
        OMP_NUM_THREADS="1",  # for so small a network more threads are in each other's way
    )
    (worker,) = wait_for(lambda: served.redis.keys("proteus:worker:*"), within_s=250)
    assert served.redis.hget(worker, "device") == b"cpu"
    served.enqueue("try_1", "try_2", seed=7, mask_key="mask.png")
    served.enqueue("try_3", seed=8, mask_key="mask.png")
    served.wait_until_settled(within_s=250)
    for job_id, seed in (("try_1", 7), ("try_2", 7), ("try_3", 8)):
        event = served.events(job_id)[-1]
        assert event.type == EventType.SUCCEEDED, served.logs()
        told = said(event)
        assert {name: told[name] for name in ("width", "height", "seed", "tier")} == {
            "width": 96,
            "height": 128,
            "seed": seed,
            "tier": "full",
        }
        assert (told["engine"], told["is_preview"]) == (served.engine, False)
    first, second, third = (picture(served, job_id) for job_id in ("try_1", "try_2", "try_3"))
    # Their batch-mates differ, so the last bit may, and a JPEG makes a few grey levels of it.
    assert np.abs(first - second).mean() < 0.2
    assert np.abs(first - third).mean() > 2
    assert first.std() > 1, "something was drawn"


def picture(served: Workshop, job_id: str) -> np.ndarray[Any, np.dtype[np.int16]]:
    return pixels(served.store.get(f"pictures/{job_id}.jpg", 10**6)).astype(np.int16)


def white_png() -> bytes:
    out = io.BytesIO()
    Image.new("L", (96, 128), 255).save(out, "PNG")
    return out.getvalue()


# --- what ends it before it begins ------------------------------------------------------------


@pytest.fixture
def weights(tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights and its lock file, as after a fetch."""
    folder = Path(shutil.copytree(tiny_weights, tmp_path / "weights"))
    lock = Lock(tmp_path / "lock.json")
    for source in SOURCES[Kind.MASKFREE].all():
        root = folder / source.repository
        lock.record(source, "abc", {name: root / name for name in source.files})
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("S3_BUCKET", "proteus")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PROTEUS_WEIGHTS_DIR", str(folder))
    monkeypatch.setenv("PROTEUS_WEIGHTS_LOCK", str(lock.path))
    monkeypatch.setenv("PROTEUS_TIERS", TIERS)
    return folder


def _drop(folder: Path) -> None:
    (folder / ATTENTION).unlink()


def _swap(folder: Path) -> None:
    path = folder / ATTENTION
    path.write_bytes(path.read_bytes()[:-1] + b"!")


def _swap_unlocked(folder: Path) -> None:
    _without_lock(folder)
    path = folder / ATTENTION
    path.write_bytes(path.read_bytes()[:-1000])


def _foreign_base_unlocked(folder: Path) -> None:
    _without_lock(folder)
    base, vae = SOURCES[Kind.MASKFREE].base.repository, SOURCES[Kind.MASKFREE].vae.repository
    name = "diffusion_pytorch_model.safetensors"
    shutil.copy(folder / vae / name, folder / base / "unet" / name)


def _without_lock(folder: Path) -> None:
    (folder.parent / "lock.json").unlink()


Harm = Callable[[Path], None]
WRONG: list[tuple[Harm, str]] = [
    (_drop, "model.safetensors: missing"),
    (_swap, "model.safetensors: not the file that was fetched first"),
    (_swap_unlocked, "model.safetensors is no complete safetensors file"),
    (_foreign_base_unlocked, "unet: "),
]


@pytest.mark.parametrize(("harm", "says"), WRONG)
def test_wrong_weights_end_it_with_a_line(
    weights: Path, capsys: pytest.CaptureFixture[str], harm: Harm, says: str
) -> None:
    harm(weights)
    assert main(["work", "catvton-maskfree"]) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("weights: ")
    assert says in told


def test_no_weights_at_all_say_what_to_do(
    weights: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROTEUS_WEIGHTS_DIR", "")
    monkeypatch.setenv("PROTEUS_WEIGHTS_LOCK", str(weights / "none.json"))
    assert main(["work", "catvton-maskfree"]) == 2
    assert "fetch it first" in capsys.readouterr().err


def test_a_device_that_is_not_here_ends_it(
    weights: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setenv("PROTEUS_DEVICE", "cuda")
    assert main(["work", "catvton-maskfree"]) == 2
    assert "PROTEUS_DEVICE: cuda was asked for" in capsys.readouterr().err


def test_a_size_that_the_cells_do_not_fill_ends_it(
    weights: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROTEUS_TIERS", "full:3:60x96")
    assert main(["work", "catvton-maskfree"]) == 2
    assert "multiples of 8 px, not 60x96" in capsys.readouterr().err

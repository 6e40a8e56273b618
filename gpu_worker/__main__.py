"""Command line of the GPU worker, and the composition root: pairs each engine with its courier.

A command's modules are imported inside its function, so that a worker loads no other engine's
libraries, and the arbitrator no engine's at all.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from gpu_worker import log
from gpu_worker.arbitrator import commands as ruling
from gpu_worker.config import Settings
from gpu_worker.contract import SettingsError
from gpu_worker.queue.redis import redis_client

if TYPE_CHECKING:
    from gpu_worker.scheduling.loop import AnySteps, Steps
    from gpu_worker.scheduling.run import Stepped
    from gpu_worker.storage.courier import AnyCourier, Courier
    from gpu_worker.storage.store import Store

EXIT_SETTINGS = 2
BY_HAND = {
    "weights": "fetch, check or find CatVTON's weights",
    "parity": "run a recorded case through the CatVTON engine",
}
Parts: TypeAlias = "tuple[AnySteps, AnyCourier]"
O = TypeVar("O")
S = TypeVar("S", bound="Stepped")
P = TypeVar("P")


def paired(engine: Steps[O, S, P], courier: Courier[O, P]) -> Parts:
    """Returns both; for mypy, which checks that the courier fetches what the engine is given and
    stores what it makes."""
    return engine, courier


def null_parts(settings: Settings, store: Store) -> Parts:
    from gpu_worker.engines.null import NullEngine  # noqa: PLC0415
    from gpu_worker.storage.courier import TryOnCourier  # noqa: PLC0415

    curve = settings.null_curve
    engine = NullEngine(curve.a_ms, curve.c_ms, curve.steps)
    return paired(engine, TryOnCourier(store, engine.name, engine.is_preview))


def preview_parts(_settings: Settings, store: Store) -> Parts:
    from gpu_worker.engines.preview import PreviewEngine  # noqa: PLC0415
    from gpu_worker.storage.courier import TryOnCourier  # noqa: PLC0415

    engine = PreviewEngine()
    return paired(engine, TryOnCourier(store, engine.name, engine.is_preview))


def tailor_parts(settings: Settings, store: Store) -> Parts:
    from gpu_worker.decoders import Decoders  # noqa: PLC0415
    from gpu_worker.tailor import Tailor  # noqa: PLC0415
    from gpu_worker.tailor.courier import Limits, TailorCourier  # noqa: PLC0415

    limits = Limits(
        settings.max_upload_bytes, settings.min_photo_side_px, settings.max_photo_side_px
    )
    decoders = Decoders(
        settings.decoders, settings.decode_cpu_s, settings.decode_memory_bytes, settings.max_pixels
    )
    return paired(Tailor(), TailorCourier(store, decoders, limits))


def fetcher_parts(settings: Settings, store: Store) -> Parts:
    from gpu_worker.fetcher.courier import HEAD_S, TOTAL_S, FetchCourier, children  # noqa: PLC0415
    from gpu_worker.fetcher.download import Bounds  # noqa: PLC0415
    from gpu_worker.fetcher.fetcher import Fetcher  # noqa: PLC0415

    bounds = Bounds(settings.max_upload_bytes, HEAD_S, TOTAL_S, settings.allow_loopback_image_urls)
    pool = children(settings.fetches, bounds)
    engine = Fetcher(settings.fetches, settings.fetches_per_merchant)
    return paired(engine, FetchCourier(store, pool, bounds))


def catvton_parts(pipeline: str, settings: Settings, store: Store) -> Parts:
    """Loads a CatVTON engine.

    Raises:
        SettingsError: torch, the device or the weights are missing or not as configured.
    """
    from gpu_worker.storage.courier import TryOnCourier  # noqa: PLC0415
    from gpu_worker.storage.garment_objects import GarmentObjects  # noqa: PLC0415

    try:
        from gpu_worker.engines.catvton.build import build  # noqa: PLC0415
        from gpu_worker.weights.sources import Kind  # noqa: PLC0415
    except ModuleNotFoundError as error:
        lines = [f"{error.name} is missing: pip install -r gpu_worker/requirements.txt"]
        raise SettingsError(lines) from error
    garments = GarmentObjects(store) if settings.garment_objects else None
    engine = build(Kind(pipeline), settings, garments)
    return paired(engine, TryOnCourier(store, engine.name, engine.is_preview))


ENGINES: dict[str, Callable[[Settings, Store], Parts]] = {
    "catvton-inpaint": partial(catvton_parts, "inpaint"),
    "catvton-maskfree": partial(catvton_parts, "maskfree"),
    "fetcher": fetcher_parts,
    "null": null_parts,
    "preview": preview_parts,
    "tailor": tailor_parts,
}


def work(engine_name: str, settings: Settings) -> int:
    """Serves one engine until a signal, or until its device is lost. Returns the exit code."""
    from gpu_worker.engine import DeviceLostError  # noqa: PLC0415
    from gpu_worker.storage.store import Store, connect  # noqa: PLC0415
    from gpu_worker.vision import images  # noqa: PLC0415
    from gpu_worker.worker import EXIT_DEVICE_LOST, build_worker  # noqa: PLC0415

    log.configure(settings.log)
    images.limit_pixels(settings.max_pixels)
    store = Store(connect(settings), settings.s3_bucket)
    engine, courier = ENGINES[engine_name](settings, store)
    try:
        build_worker(redis_client(settings.redis_url), engine, courier, settings).work()
    except DeviceLostError as error:
        logging.critical("the device is lost: %s", error)
        return EXIT_DEVICE_LOST
    finally:
        courier.close()
    return 0


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m gpu_worker")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("work", help="serve one engine until told to stop")
    command.add_argument("engine", choices=sorted(ENGINES))
    for name, summary in {**ruling.COMMANDS, **BY_HAND}.items():
        commands.add_parser(name, help=summary, add_help=False)
    if argv[:1] and argv[0] in ruling.COMMANDS:
        return ruling.main(argv, redis_client)
    try:
        if argv[:1] and argv[0] in BY_HAND:
            from gpu_worker.engines.catvton import commands as by_hand  # noqa: PLC0415

            return by_hand.main(argv)
        asked = parser.parse_args(argv)
        return work(asked.engine, Settings.from_env(os.environ))
    except SettingsError as error:
        sys.stderr.write("\n".join([*error.lines, ""]))
        return EXIT_SETTINGS


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
    except Exception:  # the process's outer edge: log it, as os._exit below prints no traceback
        logging.exception("ended by a fault of its own")
        code = 1
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)  # sys.exit would wait for carrier threads, which may wait for a dead store

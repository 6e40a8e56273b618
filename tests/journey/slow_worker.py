"""A worker that takes its time and many steps, in the preview's place: `python -m
tests.journey.slow_worker`. The real worker with the null engine under the preview's name.
"""

from __future__ import annotations

import sys

from gpu_worker import __main__ as main
from gpu_worker.config import Settings
from gpu_worker.engines.null import NullEngine
from gpu_worker.storage.courier import TryOnCourier
from gpu_worker.storage.store import Store


class SlowPreview(NullEngine):
    name = "preview"


def slow_parts(settings: Settings, store: Store) -> main.Parts:
    curve = settings.null_curve
    engine = SlowPreview(curve.a_ms, curve.c_ms, curve.steps)
    return engine, TryOnCourier(store, engine.name, engine.is_preview)


if __name__ == "__main__":
    main.ENGINES[SlowPreview.name] = slow_parts
    sys.exit(main.main(["work", SlowPreview.name]))

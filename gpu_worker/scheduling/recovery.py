"""What becomes of samples when the engine breaks: out of memory, fewer run together; a poison
message among them, each runs alone.

Knows scheduler and ceilings; asks no engine. Whatever it decides stands in the log, with the ids.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence

from gpu_worker.scheduling.ceiling import Ceiling
from gpu_worker.scheduling.metrics import Metrics
from gpu_worker.scheduling.plan import Scheduler
from gpu_worker.scheduling.run import Run

Renew = Callable[[object], object]
log = logging.getLogger(__name__)


class Recovery:
    """`renew` gives an order as it was before an engine touched it. What returns False could not
    be mended: the one that it was about fails."""

    def __init__(self, scheduler: Scheduler, renew: Renew, metrics: Metrics):
        self._scheduler = scheduler
        self._renew = renew
        self._metrics = metrics
        self._ceilings: dict[str, Ceiling] = defaultdict(Ceiling)

    def fitted(self, batch: Sequence[Run]) -> None:
        """Nothing went wrong: in time one more of this size may be tried."""
        bucket = batch[0].bucket
        self._ceilings[bucket].held(len(batch))
        self._scheduler.limit(bucket, self._ceilings[bucket].most)

    def halve(self, batch: Sequence[Run]) -> bool:
        """The device cannot hold them all. They are whole: half of them go on, the others wait."""
        if len(batch) == 1:
            return False
        self._limit(batch[0].bucket, len(batch), batch)
        return True

    def part(self, batch: Sequence[Run], error: Exception) -> bool:
        """One of them is poison: which one, each shows by itself. All begin from the start, since
        nobody knows how far the broken step had come."""
        if len(batch) == 1:
            return False
        ids = ", ".join(run.id for run in batch)
        log.warning(
            "a step of %d failed, each begins again alone: %s", len(batch), ids, exc_info=error
        )
        self._metrics.count("batches_parted")
        for run in batch:
            run.begin_anew(self._renew(run.order))
            self._scheduler.restart_alone(run.id)
        return True

    def postpone(self, run: Run, others: int) -> bool:
        """The device is too full of others to take it in: it waits until there are fewer."""
        if not others:
            return False
        self._limit(run.bucket, others + 1, [run])
        run.order = self._renew(run.order)  # its noise was drawn
        return True

    def make_room(self, run: Run, others: int) -> bool:
        """For a picture that does not fit beside the steps: fewer step from now on. False where
        they cannot be fewer."""
        if not others or self._ceilings[run.bucket].most == 1:
            return False
        self._limit(run.bucket, others, [run])
        return True

    def _limit(self, bucket: str, too_many: int, of: Sequence[Run]) -> None:
        self._metrics.count("out_of_memory")
        ceiling = self._ceilings[bucket]
        ceiling.broke(too_many)
        self._scheduler.limit(bucket, ceiling.most)
        ids = ", ".join(run.id for run in of)
        log.warning(
            "out of memory with %d of size %s, at most %s together now: %s",
            too_many, bucket, ceiling.most, ids,
        )  # fmt: skip

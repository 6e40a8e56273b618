"""Recovery from a failed engine call: out of memory, smaller batches; any other error, each sample
again and alone, to find the poison message.

Knows scheduler and ceilings; calls no engine. It logs every decision with the jobs' ids.
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
    """Decides for the step loop's thread. A method that returns False has found no way out: the
    caller fails that sample. `renew`: gives an order as it was before an engine touched it.
    """

    def __init__(self, scheduler: Scheduler, renew: Renew, metrics: Metrics):
        self._scheduler = scheduler
        self._renew = renew
        self._metrics = metrics
        self._ceilings: dict[str, Ceiling] = defaultdict(Ceiling)

    def fitted(self, batch: Sequence[Run]) -> None:
        """The step succeeded: after enough of them the size's limit rises by one."""
        bucket = batch[0].bucket
        self._ceilings[bucket].held(len(batch))
        self._scheduler.limit(bucket, self._ceilings[bucket].most)

    def halve(self, batch: Sequence[Run]) -> bool:
        """Out of memory in a step: a smaller batch from now on. The samples are unharmed; those
        beyond the limit wait."""
        if len(batch) == 1:
            return False
        self._limit(batch[0].bucket, len(batch), batch)
        return True

    def part(self, batch: Sequence[Run], error: Exception) -> bool:
        """A sample of the batch is poison: each is run again alone, and the one that raises alone
        is it. All begin from the start, as the failed step may have changed some of them."""
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
        """Out of memory in `admit`: it is tried again, and fewer run together from now on. False
        where the device holds no others."""
        if not others:
            return False
        self._limit(run.bucket, others + 1, [run])
        run.order = self._renew(run.order)  # `admit` may have drawn from its noise
        return True

    def make_room(self, run: Run, others: int) -> bool:
        """Out of memory in `finish` on the side thread: fewer step beside it from now on. False
        where they cannot be fewer."""
        most = self._ceilings[run.bucket].most
        if not others or most == 1:
            return False
        # Halved from the limit in force, so that one that never fits fails after a few tries.
        self._limit(run.bucket, min(others, most or others), [run])
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

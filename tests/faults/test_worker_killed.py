"""Workers killed at the worst moments. Real processes, a lease of 3 s.

Whatever the moment: each job ends once, and RQ's books are empty afterwards.
"""

from __future__ import annotations

import signal

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from gpu_worker.contract import EventType, Reason
from tests.workshop import Workshop, wait_for

pytestmark = pytest.mark.faults

JOBS = [f"try_{n}" for n in range(6)]

# The worker below ends itself with SIGKILL at the named moment, the first time that it comes.
KILLED_AT = """
import os, signal, sys
from gpu_worker import __main__ as main
from gpu_worker.leases import Leases
from gpu_worker.storage import Store
from gpu_worker.events import Events
from gpu_worker.null import NullEngine
from gpu_worker.worker.batch import BatchWorker

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def after(owner, name):
    whole = getattr(owner, name)
    def then_die(self, *args, **kwargs):
        result = whole(self, *args, **kwargs)
        if result != []:
            die()
        return result
    setattr(owner, name, then_die)

class Third:
    seen = 0

def settled(self, *args, **kwargs):
    Third.seen += 1
    if Third.seen == 3:
        die()
    return settle(self, *args, **kwargs)

settle = BatchWorker.settle
moments = {
    "before the lease": lambda: setattr(Leases, "claim", die),
    "after the lease": lambda: after(Leases, "claim"),
    "after the start": lambda: after(BatchWorker, "start"),
    "in mid-batch": lambda: after(NullEngine, "step"),
    "after the result is stored": lambda: after(Store, "put"),
    "after the event": lambda: after(Events, "send"),
    "between two settlements": lambda: setattr(BatchWorker, "settle", settled),
}
moments[sys.argv[1]]()
sys.exit(main.main(["work", "null"]))
"""

MOMENTS = [
    "before the lease",
    "after the lease",
    "after the start",
    "in mid-batch",
    "after the result is stored",
    "after the event",
    "between two settlements",
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_worker_killed(shop: Workshop, moment: str) -> None:
    shop.enqueue(*JOBS)
    doomed = shop.start("-c", KILLED_AT, moment, PROTEUS_NULL_CURVE="2,2,3")
    assert doomed.wait(20) == -signal.SIGKILL, shop.logs()
    shop.start()
    seconds = shop.wait_until_settled(within_s=25)
    kinds = shop.report(f"killed {moment}", seconds)
    assert kinds == {EventType.SUCCEEDED: len(JOBS)}
    assert all(shop.store.metadata(f"pictures/{job_id}.jpg") for job_id in JOBS)


def test_readers_of_rqs_registries_take_no_job_away(shop: Workshop) -> None:
    """RQ's own cleanup, run by every look at a registry, would fail or double expired jobs."""
    shop.enqueue(*JOBS)
    doomed = shop.start(PROTEUS_NULL_CURVE="200,0,50")
    queue = Queue("null:live:mer_ada", connection=shop.redis, serializer=JSONSerializer)
    wait_for(lambda: queue.started_job_registry.count == 4)
    shop.kill(doomed)

    def lease_is_over() -> bool:
        assert queue.started_job_registry.count + queue.count == len(JOBS)
        return not shop.redis.keys("proteus:lease:*")

    wait_for(lease_is_over)
    shop.start()
    shop.report("killed while registries are read", shop.wait_until_settled(within_s=25))


# A process that dies whenever the killer takes part in a step.
KILLER = """
import os, signal, sys
from gpu_worker import __main__ as main
from gpu_worker.null import NullEngine

step = NullEngine.step

def stepping(self, samples):
    if any(sample.order.id.startswith("killer") for sample in samples):
        os.kill(os.getpid(), signal.SIGKILL)
    step(self, samples)

NullEngine.step = stepping
sys.exit(main.main(["work", "null"]))
"""


@pytest.mark.parametrize("place", [0, 3])
def test_who_kills_the_process_is_found_and_set_aside(shop: Workshop, place: int) -> None:
    ids = [f"try_{n}" for n in range(3)]
    ids.insert(place, "killer_1")
    shop.enqueue(*ids)
    for _ in range(3):
        assert shop.start("-c", KILLER).wait(20) == -signal.SIGKILL
    shop.start("-c", KILLER)
    seconds = shop.wait_until_settled(within_s=30)
    kinds = shop.report(f"a job that kills its process, at place {place}", seconds)
    assert kinds == {EventType.SUCCEEDED: 3, EventType.FAILED: 1}
    told = shop.events("killer_1")[-1].data
    assert (told["code"], told["retryable"]) == (Reason.WORKER_LOST.value, True)


def test_stopped_longer_than_its_lease(shop: Workshop) -> None:
    shop.enqueue(*JOBS[:4])
    frozen = shop.start(PROTEUS_NULL_CURVE="100,0,30")
    wait_for(lambda: any(e.type == EventType.RUNNING for e in shop.events()))
    frozen.send_signal(signal.SIGSTOP)
    wait_for(lambda: not shop.redis.keys("proteus:lease:*"))
    shop.start()
    wait_for(shop.all_ended, within_s=20)
    frozen.send_signal(signal.SIGCONT)
    shop.enqueue("try_after")
    seconds = shop.wait_until_settled()
    kinds = shop.report("stopped longer than its lease, then continued", seconds)
    assert kinds == {EventType.SUCCEEDED: 5}
    assert all(len(types) == 1 for types in shop.ends().values())

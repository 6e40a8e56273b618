"""What everything is called in Redis, and how long it lives there."""

from __future__ import annotations

from pathlib import Path

from gpu_worker.contract.scripts import lua
from gpu_worker.contract.words import Lane

EVENTS = "proteus:events"
NUDGES = "proteus:nudges"
STEWARDS = "stewards"  # consumer group on EVENTS
STEWARD = "proteus:steward"  # Redis hash by which the steward says that it lives: name, ts, counts
TAILOR = "tailor"  # the engine name under which photo and garment jobs are queued
FETCHER = "fetcher"  # the same for fetch jobs

DEFAULT_BATCH_SIZE = 4
POLICY_TTL_S = 5
WORKER_TTL_S = 10
# What workers count, each by event in its engine's `counts_key`.
WORKER_COUNTS = ("finished", "refused", "out_of_memory", "batches_parted", "partials_failed")
STEWARD_TTL_S = 10
ARBITRATOR = "proteus:arbitrator"  # lock: which arbitrator rules
SCALE = "proteus:scale"  # Redis hash, engine -> workers wanted, for whoever adds workers
SCALE_TTL_S = 30
CANCEL_TTL_S = 3600

BELL_LENGTH = 64  # entries that are kept: as many workers as one burst need wake

RQ_QUEUES = "rq:queues"  # RQ's own names: Redis set of the keys of all queues
RQ_WORKERS = "rq:workers"  # Redis set of the keys of all workers
RQ_SUSPENDED = "rq:suspended"  # stands while `rq suspend` holds

_LUA = Path(__file__).with_name("lua")
JOIN = lua(_LUA, "join")  # the function, for scripts that line a merchant up
# Run as `pipeline.eval(JOIN_RING, 1, ring_key, merchant_id)` in the MULTI that enqueues.
JOIN_RING = JOIN + lua(_LUA, "join_ring")


def queue_name(engine: str, lane: Lane, merchant_id: str) -> str:
    """RQ queue of one merchant's jobs for one engine."""
    return f"{engine}:{lane.value}:{merchant_id}"


def rq_queue_key(queue: str) -> str:
    """RQ's list of the ids that wait in a queue."""
    return f"rq:queue:{queue}"


def rq_job_key(job_id: str) -> str:
    """RQ's hash of a job; `losses` in it is ours: how many workers died while they ran it."""
    return f"rq:job:{job_id}"


def rq_worker_key(worker_id: str) -> str:
    """RQ's hash of a worker, and its member in RQ_WORKERS."""
    return f"rq:worker:{worker_id}"


def turns_key(queue: str) -> str:
    """Redis hash: the turn of each waiting job of a queue, as `turn_of` says it; the queue's order
    follows from it."""
    return f"proteus:turns:{queue}"


def ring_key(engine: str, lane: Lane) -> str:
    """Redis list of the merchants that have jobs, in the order of their turns."""
    return f"proteus:ring:{engine}:{lane.value}"


def shares_key(engine: str, lane: Lane) -> str:
    """Redis hash: the engine's ms that each merchant had, and under '' what each in line should
    have had; workers go by it."""
    return f"proteus:shares:{engine}:{lane.value}"


def bell_key(engine: str) -> str:
    """Redis list that wakes a worker; losing an entry costs one poll and nothing else."""
    return f"proteus:bell:{engine}"


def policy_key(engine: str) -> str:
    """Redis hash the arbitrator writes every 500 ms: `Policy`, as its `to_redis` puts it."""
    return f"proteus:policy:{engine}"


def override_key(engine: str) -> str:
    """Redis hash an operator writes: fields of the policy that hold until the key's TTL ends."""
    return f"proteus:override:{engine}"


def arrivals_key(engine: str) -> str:
    """Redis hash `{live, bulk}`: how many jobs were ever put in line; the arbitrator reads rates
    from its growth."""
    return f"proteus:arrivals:{engine}"


def curve_key(device: str, model: str, size: str) -> str:
    """Redis hash: what a step of b samples takes on this device, learned."""
    return f"proteus:curve:{device.replace(' ', '-')}:{model}:{size}"


def worker_key(worker_id: str) -> str:
    """Redis hash by which a worker says that it lives: engine, pid, licence, is_preview, ts,
    device, max_slots, slots and tier in force, held (claimed), live (of those, the live lane's),
    running (given to the engine's loop); and what it measured, medians all: `step_ms:<size>:<b>`,
    a step of b samples, `around_ms:<size>`, a picture's engine time outside its steps, and
    `steps:<tier>`, how many a picture took, or will take before one was drawn."""
    return f"proteus:worker:{worker_id}"


def counts_key(engine: str) -> str:
    """Redis hash: `WORKER_COUNTS` of all workers that this engine ever had; each adds its own with
    its heartbeat."""
    return f"proteus:counts:{engine}"


def cancel_key(job_id: str) -> str:
    """Set (with CANCEL_TTL_S) by the server when a try-on is cancelled; the worker looks often."""
    return f"proteus:cancel:{job_id}"


def lease_key(member: str) -> str:
    """Lives as long as the worker that holds `member` (`job:execution` in RQ's started registry).

    Redis's own clock ends it, so that workers' clocks need not agree.
    """
    return f"proteus:lease:{member}"

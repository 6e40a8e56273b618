"""The names of all keys in Redis, and their times to live."""

from __future__ import annotations

from pathlib import Path

from gpu_worker.contract.scripts import lua
from gpu_worker.contract.words import Lane

EVENTS = "proteus:events"
NUDGES = "proteus:nudges"
STEWARDS = "stewards"  # consumer group on EVENTS
STEWARD = "proteus:steward"  # the steward's heartbeat, a Redis hash: name, ts, counts
TAILOR = "tailor"  # the engine name under which photo and garment jobs are queued
FETCHER = "fetcher"  # the same for fetch jobs

DEFAULT_BATCH_SIZE = 4
POLICY_TTL_S = 5
WORKER_TTL_S = 10
# What workers count: the fields of their engine's `counts_key`.
WORKER_COUNTS = ("finished", "refused", "out_of_memory", "batches_parted", "partials_failed")
STEWARD_TTL_S = 10
ARBITRATOR = "proteus:arbitrator"  # leader lock: its value names the arbitrator that leads
SCALE = "proteus:scale"  # Redis hash, engine -> workers wanted, for an autoscaler
SCALE_TTL_S = 30
CANCEL_TTL_S = 3600

BELL_LENGTH = 64  # entries that are kept: a burst need not wake more workers than that

RQ_QUEUES = "rq:queues"  # RQ's own names: Redis set of the keys of all queues
RQ_WORKERS = "rq:workers"  # Redis set of the keys of all workers
RQ_SUSPENDED = "rq:suspended"  # exists while `rq suspend` is in force

_LUA = Path(__file__).with_name("lua")
JOIN = lua(_LUA, "join")  # a Lua function, for scripts that put a merchant into a ring
# Run as `pipeline.eval(JOIN_RING, 1, ring_key, merchant_id)` in the MULTI that enqueues.
JOIN_RING = JOIN + lua(_LUA, "join_ring")


def queue_name(engine: str, lane: Lane, merchant_id: str) -> str:
    """RQ queue of one merchant's jobs for one engine."""
    return f"{engine}:{lane.value}:{merchant_id}"


def rq_queue_key(queue: str) -> str:
    """RQ's list of the ids of a queue's waiting jobs."""
    return f"rq:queue:{queue}"


def rq_job_key(job_id: str) -> str:
    """RQ's hash of a job; `losses` in it is ours: how many workers died while they ran it."""
    return f"rq:job:{job_id}"


def rq_worker_key(worker_id: str) -> str:
    """RQ's hash of a worker, and its member in RQ_WORKERS."""
    return f"rq:worker:{worker_id}"


def turns_key(queue: str) -> str:
    """Redis hash, job id -> `turn_of` it, of waiting jobs: the queue's order follows from it."""
    return f"proteus:turns:{queue}"


def ring_key(engine: str, lane: Lane) -> str:
    """Redis list of the merchants who have waiting jobs, in round-robin order."""
    return f"proteus:ring:{engine}:{lane.value}"


def shares_key(engine: str, lane: Lane) -> str:
    """Redis hash for fair share: the engine's ms that each merchant received, and under '' the
    virtual clock: the ms that each waiting one is entitled to (`queue/lua/shares.lua`)."""
    return f"proteus:shares:{engine}:{lane.value}"


def bell_key(engine: str) -> str:
    """Redis list that wakes idle workers by a blocking pop. A lost entry only delays a job until
    the next poll."""
    return f"proteus:bell:{engine}"


def policy_key(engine: str) -> str:
    """Redis hash that the arbitrator writes every 500 ms: `Policy.to_redis`."""
    return f"proteus:policy:{engine}"


def override_key(engine: str) -> str:
    """Redis hash that an operator writes: fields that replace the policy's until it expires."""
    return f"proteus:override:{engine}"


def arrivals_key(engine: str) -> str:
    """Redis hash `{live, bulk}`: how many jobs were ever enqueued; the arbitrator computes arrival
    rates from it."""
    return f"proteus:arrivals:{engine}"


def curve_key(device: str, model: str, size: str) -> str:
    """Redis hash, the learned latency model: ms of a step by batch size (`control.Curve`)."""
    return f"proteus:curve:{device.replace(' ', '-')}:{model}:{size}"


def worker_key(worker_id: str) -> str:
    """A worker's heartbeat, a Redis hash that expires: engine, pid, licence, is_preview, ts,
    device, max_slots, slots and tier in force, held (jobs claimed), live (of those, in the live
    lane), running (given to the step loop).

    Its measurements are medians: `step_ms:<size>:<b>`, of a step of b samples;
    `around_ms:<size>`, of a picture's engine time outside its steps; `steps:<tier>`, how many steps
    a picture took, or will take if none was drawn yet.
    """
    return f"proteus:worker:{worker_id}"


def counts_key(engine: str) -> str:
    """Redis hash: `WORKER_COUNTS`, summed over all workers that this engine ever had. Each adds its
    new counts with its heartbeat."""
    return f"proteus:counts:{engine}"


def cancel_key(job_id: str) -> str:
    """A flag that the server sets for CANCEL_TTL_S when a try-on is cancelled; workers poll it."""
    return f"proteus:cancel:{job_id}"


def lease_key(member: str) -> str:
    """The lease (visibility timeout) of a claimed job: its worker renews it while it lives.

    `member`: `job:execution` in RQ's started registry. Redis's own clock expires the key, so that
    the clocks of workers need not agree.
    """
    return f"proteus:lease:{member}"

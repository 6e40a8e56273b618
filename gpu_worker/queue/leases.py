"""Leases on jobs: every move of a job id between RQ's lists, each one atomic Lua script.

A job is always in exactly one of its queue's list and the queue's started registry
(`rq:wip:<queue>`, member `job:execution`). A member is held while its lease key exists, by Redis's
own clock. Knows Redis, RQ's key names and ours.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from gpu_worker import contract
from gpu_worker.contract import Lane

if TYPE_CHECKING:
    from redis import Redis

MAX_LOSSES = 3
ALONE_FROM = 2
# Any RQ client that reads a registry also cleans it up. It must never take a job from us, so our
# entries are scored a day ahead; only the lease key tells whether the holder is alive.
REGISTRY_S = 86_400
ANY_NUMBER = 1 << 31

_LUA = Path(__file__).with_name("lua")
_KEEP = contract.lua(_LUA, "names", "keep")
_CHARGE = contract.lua(_LUA, "names", "shares", "charge")
_HAND_BACK = contract.JOIN + contract.lua(_LUA, "names", "moves", "hand_back")
_CLAIM = contract.JOIN + contract.lua(_LUA, "names", "moves", "shares", "claim")
_RECOVER = contract.JOIN + contract.lua(_LUA, "names", "moves", "shares", "recover")


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this worker holds by a lease.

    losses: delivery failures: how many workers died while they ran it.
    charged_ms: what its merchant has been charged for it so far (fair share).
    """

    job_id: str
    execution_id: str
    queue: str
    losses: int = 0
    charged_ms: float = 0.0

    @property
    def member(self) -> str:
        return f"{self.job_id}:{self.execution_id}"

    @property
    def lane(self) -> Lane:
        return Lane(self.queue.split(":")[1])

    @property
    def merchant(self) -> str:
        return self.queue.split(":", 2)[2]

    @property
    def runs_alone(self) -> bool:
        return self.losses >= ALONE_FROM

    @classmethod
    def from_redis(cls, row: tuple[bytes, bytes, bytes, int], charged_ms: float = 0.0) -> Claim:
        job_id, execution_id, queue, losses = row
        return cls(job_id.decode(), execution_id.decode(), queue.decode(), int(losses), charged_ms)


@dataclass(frozen=True, slots=True)
class Capacity:
    """Prefetch limit: how many jobs a worker may claim now.

    live: of the live lane.
    both: of both lanes together.
    bulk_at_least: of the bulk lane, even if live jobs take all the rest.
    newcomers: beyond these, one live job each of so many merchants who are not `here`.
    here: merchants of whom the worker already holds a job.
    """

    live: int
    both: int
    bulk_at_least: int
    newcomers: int = 0
    here: frozenset[str] = field(default=frozenset(), compare=False)

    def __bool__(self) -> bool:
        return self.is_free or bool(self.newcomers)

    @property
    def is_free(self) -> bool:
        """Whether a job of any merchant may be claimed, not only a newcomer's."""
        return bool(self.live or self.both or self.bulk_at_least)

    @property
    def most(self) -> int:
        """Upper bound of the jobs that one claim can return."""
        return max(self.live, self.both) + self.bulk_at_least + self.newcomers

    def exceeds(self, other: Capacity) -> bool:
        """Whether this allows more than `other` in any of its limits."""
        return (
            self.live > other.live
            or self.both > other.both
            or self.bulk_at_least > other.bulk_at_least
            or self.newcomers > other.newcomers
        )


class Leases:
    """What one worker does with jobs in Redis, except that RQ itself settles them. Thread-safe.

    `per_merchant`: how many jobs of one merchant's queue all workers together may hold; more than
    these wait, and other merchants' jobs overtake them.
    """

    def __init__(
        self,
        connection: Redis,
        engine: str,
        worker: str,
        lease_s: float,
        per_merchant: int = ANY_NUMBER,
    ):
        self._connection = connection
        self._engine = engine
        self._worker = worker
        self._lease_ms = round(lease_s * 1000)
        self._per_merchant = per_merchant
        self._keys = _keys(engine)
        self._bell = contract.bell_key(engine)
        self._queues = [contract.queue_name(engine, lane, "") for lane in (Lane.LIVE, Lane.BULK)]
        self._claim = connection.register_script(_CLAIM)
        self._charge = connection.register_script(_CHARGE)
        self._keep = connection.register_script(_KEEP)
        self._hand_back = connection.register_script(_HAND_BACK)
        self._recover = connection.register_script(_RECOVER)

    def claim(self, capacity: Capacity, expected_ms: float = 1000) -> list[Claim]:
        """Claims live jobs, then bulk jobs, within the capacity, by fair share: always of the
        merchant that is furthest behind, round robin between equals.

        Each job is charged `expected_ms` at once: otherwise the merchant who is furthest behind
        would get the whole capacity.
        """
        sizes = [capacity.live, capacity.both, capacity.bulk_at_least]
        charged_ms = max(1.0, expected_ms)  # above 0, or the order would not change within a claim
        here: list[str | int] = [len(capacity.here), *sorted(capacity.here)]
        executions = [uuid4().hex for _ in range(capacity.most)]  # a script's random numbers repeat
        more = [capacity.newcomers, self._per_merchant]
        terms = [*self._terms(), *sizes, f"{charged_ms:.3f}", *more, *here]
        args = [*self._queues, self._worker, *terms, *executions]
        rows = self._claim(keys=self._keys, args=args)
        return [Claim.from_redis(row, charged_ms) for row in rows]

    def wait_for_bell(self, within_s: float) -> bool:
        """Blocks until a job is enqueued (True) or the time is over (False)."""
        return self._connection.blpop([self._bell], within_s) is not None

    def charge(self, bill: Mapping[tuple[Lane, str], float]) -> None:
        """Charges merchants for ms of the engine, by (lane, merchant); below 0 is a refund."""
        rows = [part for (lane, m), ms in bill.items() for part in (lane.value, m, f"{ms:.3f}")]
        if rows:
            self._charge(keys=self._keys, args=rows)

    def keep(self, claims: Iterable[Claim]) -> set[str]:
        """Renews leases; returns the ids of the jobs whose lease was lost."""
        members = _members(claims)
        args = [*self._terms(), *members]
        lost = self._keep(keys=self._keys, args=args) if members else []
        return {member.decode().split(":")[0] for member in lost}

    def hand_back(self, claims: Iterable[Claim]) -> None:
        """Puts jobs back at the head of their queues, without counting a loss."""
        members = _members(claims)
        if members:
            self._hand_back(keys=self._keys, args=[contract.BELL_LENGTH, *members])

    def abandon(self, claims: Iterable[Claim]) -> None:
        """Drops the leases as if this worker had died: the next `recover` of any worker puts the
        jobs back and counts a loss for each."""
        keys = [contract.lease_key(claim.member) for claim in claims]
        if keys:
            self._connection.delete(*keys)

    def recover(self) -> tuple[int, list[Claim]]:
        """Puts the jobs of dead workers back, repairs the rings, and removes empty queues but one.

        Returns how many came back, and the poison messages: jobs with `MAX_LOSSES` losses, which
        this worker now holds and must fail.
        """
        args = [*self._terms(), contract.BELL_LENGTH, MAX_LOSSES, uuid4().hex]
        back, rows = self._recover(keys=self._keys, args=[self._engine, self._worker, *args])
        return int(back), [Claim.from_redis(row) for row in rows]

    def _terms(self) -> list[str | int]:
        return [f"{time.time():.3f}", self._lease_ms, REGISTRY_S]


def _keys(engine: str) -> list[str]:
    """The KEYS of every script, in the order in which names.lua reads them."""
    rings = [contract.ring_key(engine, lane) for lane in (Lane.LIVE, Lane.BULK)]
    shares = [contract.shares_key(engine, lane) for lane in (Lane.LIVE, Lane.BULK)]
    return [
        *rings, *shares, contract.bell_key(engine), contract.RQ_SUSPENDED, contract.RQ_QUEUES,
    ]  # fmt: skip


def _members(claims: Iterable[Claim]) -> list[str]:
    return [part for c in claims for part in (c.queue, c.job_id, c.execution_id)]

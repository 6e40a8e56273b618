"""Who holds which job: every move of a job id between RQ's lists, as one atomic script each.

Knows Redis, RQ's key names and ours. A job is always in exactly one of its queue's list and the
queue's started registry (`rq:wip:<queue>`, member `job:execution`); a member is held for as long
as its lease key lives, by Redis's own clock.
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
# RQ's own cleanup, run by whoever looks at a registry, must never take a job from us: entries are
# scored a day ahead, and the lease key alone says who lives.
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
    """A job this worker holds. `losses`: how many workers died while they ran it; `charged_ms`:
    what its merchant was charged with for it so far."""

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
    """How many jobs may be claimed: of the live lane, of both together, and of the bulk lane even
    when the live one takes all the rest; beyond that, one live job of each of so many merchants
    who are not `here`."""

    live: int
    both: int
    bulk_at_least: int
    newcomers: int = 0
    here: frozenset[str] = field(default=frozenset(), compare=False)

    def __bool__(self) -> bool:
        return self.is_free or bool(self.newcomers)

    @property
    def is_free(self) -> bool:
        """For whoever comes."""
        return bool(self.live or self.both or self.bulk_at_least)

    @property
    def most(self) -> int:
        return max(self.live, self.both) + self.bulk_at_least + self.newcomers

    def exceeds(self, other: Capacity) -> bool:
        """Whether there is room here that there was not in `other`."""
        return (
            self.live > other.live
            or self.both > other.both
            or self.bulk_at_least > other.bulk_at_least
            or self.newcomers > other.newcomers
        )


class Leases:
    """All that one worker may do with jobs in Redis, short of RQ's own settling. `per_merchant`:
    how many jobs of one merchant's queue all workers together may hold; more wait, and others'
    pass them."""

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
        """Takes live jobs, then bulk jobs, as far as there is room; always of the merchant that
        is furthest behind, between equals in turns. Each is charged with `expected_ms` at once,
        or whoever is behind would take all the room there is."""
        sizes = [capacity.live, capacity.both, capacity.bulk_at_least]
        charged_ms = max(1.0, expected_ms)
        here: list[str | int] = [len(capacity.here), *sorted(capacity.here)]
        executions = [uuid4().hex for _ in range(capacity.most)]
        more = [capacity.newcomers, self._per_merchant]
        terms = [*self._terms(), *sizes, f"{charged_ms:.3f}", *more, *here]
        args = [*self._queues, self._worker, *terms, *executions]
        rows = self._claim(keys=self._keys, args=args)
        return [Claim.from_redis(row, charged_ms) for row in rows]

    def wait_for_bell(self, within_s: float) -> bool:
        """Whether somebody enqueues within this time."""
        return self._connection.blpop([self._bell], within_s) is not None

    def charge(self, bill: Mapping[tuple[Lane, str], float]) -> None:
        """Charges merchants, by lane, with ms of the engine; less than 0 gives back."""
        rows = [part for (lane, m), ms in bill.items() for part in (lane.value, m, f"{ms:.3f}")]
        if rows:
            self._charge(keys=self._keys, args=rows)

    def keep(self, claims: Iterable[Claim]) -> set[str]:
        """Renews leases; returns the ids of jobs that are no longer ours."""
        members = _members(claims)
        args = [*self._terms(), *members]
        lost = self._keep(keys=self._keys, args=args) if members else []
        return {member.decode().split(":")[0] for member in lost}

    def hand_back(self, claims: Iterable[Claim]) -> None:
        """Puts jobs back where they came from, first in line, without a mark against them."""
        members = _members(claims)
        if members:
            self._hand_back(keys=self._keys, args=[contract.BELL_LENGTH, *members])

    def abandon(self, claims: Iterable[Claim]) -> None:
        """Lets go of jobs as if we had died: whoever recovers next puts them back and suspects
        them."""
        keys = [contract.lease_key(claim.member) for claim in claims]
        if keys:
            self._connection.delete(*keys)

    def recover(self) -> tuple[int, list[Claim]]:
        """Puts the jobs of dead workers back, heals the rings, and forgets empty queues but one.

        Returns how many came back, and those lost too often, which this worker now holds
        and must fail.
        """
        args = [*self._terms(), contract.BELL_LENGTH, MAX_LOSSES, uuid4().hex]
        back, rows = self._recover(keys=self._keys, args=[self._engine, self._worker, *args])
        return int(back), [Claim.from_redis(row) for row in rows]

    def _terms(self) -> list[str | int]:
        return [f"{time.time():.3f}", self._lease_ms, REGISTRY_S]


def _keys(engine: str) -> list[str]:
    """What every script gets as KEYS, in the order that names.lua reads."""
    rings = [contract.ring_key(engine, lane) for lane in (Lane.LIVE, Lane.BULK)]
    shares = [contract.shares_key(engine, lane) for lane in (Lane.LIVE, Lane.BULK)]
    return [
        *rings, *shares, contract.bell_key(engine), contract.RQ_SUSPENDED, contract.RQ_QUEUES,
    ]  # fmt: skip


def _members(claims: Iterable[Claim]) -> list[str]:
    return [part for c in claims for part in (c.queue, c.job_id, c.execution_id)]

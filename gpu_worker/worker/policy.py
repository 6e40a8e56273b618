"""The policy that this worker follows: the arbitrator's, or its own by the same control law.

The arbitrator's is a Redis key with a time to live: when nobody renews it, it no longer holds.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from redis import Redis

from gpu_worker import contract
from gpu_worker.config import Settings
from gpu_worker.contract import Law, Tier
from gpu_worker.control import Memory, View, decide, remember
from gpu_worker.queue.snapshot import EngineSnapshots, arrived
from gpu_worker.scheduling.loop import AnySteps

log = logging.getLogger(__name__)

MAX_WAIT_MS = 500  # bounds what a policy may make a ready request wait


@dataclass(frozen=True, slots=True)
class WorkerPolicy:
    """The part of `contract.Policy` that a worker acts on, within its engine's bounds."""

    slots: int
    max_wait_s: float
    tier: Tier = contract.LADDER[0]


class PolicyReader:
    """Keeps `current` fresh. The keeping thread calls `read`; any thread may use `current`."""

    def __init__(self, connection: Redis, engine: AnySteps, settings: Settings):
        self._connection = connection
        self._engine = engine
        self._settings = settings
        self._terms = settings.terms
        self._snapshots = EngineSnapshots(connection, engine.name, settings.tiers)
        self._memory = Memory()
        self._is_alone = False
        self._least_slots = int(getattr(engine, "least_slots", 1))
        batch_size, max_wait_ms = self._terms.batch_size, self._terms.max_wait_ms
        self._ours = contract.Policy(batch_size=batch_size, max_wait_ms=max_wait_ms)
        self.current = self._within_bounds(self._ours)  # until the first `read`

    def read(self, now: float) -> WorkerPolicy:
        """`now`: Unix seconds.

        Raises:
            RedisError: Redis is away; `current` stays as it was.
        """
        with self._connection.pipeline(transaction=False) as pipe:
            pipe.hgetall(contract.policy_key(self._engine.name))
            pipe.hgetall(contract.arrivals_key(self._engine.name))
            told, arrivals = pipe.execute()
        self._memory = remember(self._memory, arrived(arrivals), now, self._terms)
        policy = self._told(told)
        self._say(policy is None)
        self.current = self._within_bounds(policy or self._own(now))
        return self.current

    def _told(self, hash_: Mapping[bytes, bytes]) -> contract.Policy | None:
        """The arbitrator's policy, if there is one. When it goes, our own law starts from its slots
        and from the best tier, whatever tier it had set."""
        policy = contract.Policy.from_redis(hash_, self._ours) if hash_ else None
        if policy is not None:
            self._memory = replace(self._memory, rung=0, easy_since=None, slots=policy.batch_size)
        return policy

    def _own(self, now: float) -> contract.Policy:
        """The control law on this worker's own view of Redis, within an operator's override and the
        `batch_size` setting."""
        view = self._snapshots.look(now)
        policy, self._memory = decide(self._held(view), self._memory, now, self._terms)
        return replace(policy, law=Law.OWN)

    def _held(self, view: View) -> View:
        """The view with a fixed `batch_size` setting as override, unless an operator set one."""
        fixed = self._settings.batch_size
        if fixed is None or view.override.batch_size is not None:
            return view
        return replace(view, override=replace(view.override, batch_size=fixed))

    def _within_bounds(self, policy: contract.Policy) -> WorkerPolicy:
        known = {tier.name: tier for tier in self._settings.tiers}
        return WorkerPolicy(
            slots=min(max(policy.batch_size, self._least_slots), self._engine.max_slots),
            max_wait_s=min(max(policy.max_wait_ms, 0), MAX_WAIT_MS) / 1000,
            tier=known.get(policy.tier, self._settings.tiers[0]),
        )

    def _say(self, is_alone: bool) -> None:
        if is_alone != self._is_alone:
            log.warning("no policy: applies the law alone" if is_alone else "a policy is there")
        self._is_alone = is_alone

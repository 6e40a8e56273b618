"""The arbitrator's control loop, every 500 ms: read each engine's state, decide, write policies.

Only the leader writes. The others decide as well, so that the next leader has the same memory.
"""

from __future__ import annotations

import logging
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from redis.exceptions import RedisError

from gpu_worker import contract
from gpu_worker.arbitrator.leader_lock import LOCK_S, LeaderLock
from gpu_worker.contract import Backoff, Policy, forever
from gpu_worker.control import Memory, Terms, decide, wanted_workers
from gpu_worker.queue.redis import read_set
from gpu_worker.queue.snapshot import EngineSnapshots, engines_of

if TYPE_CHECKING:
    from redis import Redis

log = logging.getLogger(__name__)

TURN_S = 0.5
ENGINES_EVERY_S = 5.0
MAX_PAUSE_S = 5.0
GOODBYE_S = 2.0


class Arbitrator:
    """One arbitrator with its memory of each engine; `loop` is one turn. For one thread.

    `hurry`: how many times faster than real time a benchmark runs.
    """

    def __init__(self, connection: Redis, terms: Terms, hurry: float = 1.0):
        self._connection = connection
        self._terms = terms
        self._hurry = hurry
        self._leader_lock = LeaderLock(connection, LOCK_S / hurry)
        self._snapshots: dict[str, EngineSnapshots] = {}
        self._memories: dict[str, Memory] = {}
        self._told: dict[str, Policy] = {}
        self._engines_at = float("-inf")
        self._leads: bool | None = None

    def loop(self, now: float) -> bool:
        """One turn. Returns whether this arbitrator leads. `now`: Unix seconds.

        Raises:
            RedisError: Redis is away.
        """
        leads = self._leader_lock.acquire()
        self._find_engines(now)
        policies: dict[str, Policy] = {}
        wanted: dict[str, int] = {}
        for engine in self._snapshots:
            policies[engine], wanted[engine] = self._decide(engine, now)
        leads = leads and self._publish(policies, wanted)  # the lock may be lost by now
        self._log_leadership(leads)
        return leads

    def leave(self) -> None:
        self._leader_lock.release()

    def _find_engines(self, now: float) -> None:
        """Finds engines by workers, and by queues: an engine may still need its first worker."""
        if now - self._engines_at < ENGINES_EVERY_S / self._hurry:
            return
        self._engines_at = now
        queues = read_set(self._connection, contract.RQ_QUEUES)
        workers = read_set(self._connection, contract.RQ_WORKERS)
        # A key is rq:queue:<engine>:<lane>:<merchant>.
        names = {key.decode().split(":")[2] for key in queues if key.count(b":") >= 4}
        for engine in (names | engines_of(self._connection, workers)) - self._snapshots.keys():
            self._snapshots[engine] = EngineSnapshots(self._connection, engine, self._terms.tiers)
            self._memories[engine] = self._memory_of(engine)

    def _memory_of(self, engine: str) -> Memory:
        """The memory to start with: from the tier in force, so that a restart changes no tier."""
        tier = self._connection.hget(contract.policy_key(engine), "tier") or b""
        names = [rung.name.encode() for rung in self._terms.tiers]
        return Memory(rung=names.index(tier) if tier in names else 0)

    def _decide(self, engine: str, now: float) -> tuple[Policy, int]:
        view = self._snapshots[engine].look(now)
        memory = self._memories[engine]
        policy, memory = decide(view, memory, now, self._terms)
        self._memories[engine] = memory
        return policy, wanted_workers(view, memory, self._terms)

    def _publish(self, policies: dict[str, Policy], wanted: dict[str, int]) -> bool:
        words = {engine: policy.to_redis() for engine, policy in policies.items()}
        if not self._leader_lock.publish(words, wanted, contract.POLICY_TTL_S / self._hurry):
            return False
        for engine, policy in policies.items():
            self._snapshots[engine].save()
            self._note(engine, policy)
        return True

    def _note(self, engine: str, policy: Policy) -> None:
        """Logs the policy if tier, mode, law or shedding changed."""
        told, self._told[engine] = self._told.get(engine), policy
        if told is None or _matters(told) != _matters(policy):
            log.info(
                "%s: %d slots, tier %s, %s (%s), predicted %.1f s",
                engine, policy.batch_size, policy.tier, policy.mode, policy.law, policy.predicted_s,
            )  # fmt: skip

    def _log_leadership(self, leads: bool) -> None:
        if leads != self._leads:
            log.info(
                "%s %s", self._leader_lock.name, "rules" if leads else "looks on: another rules"
            )
        self._leads = leads


def _matters(policy: Policy) -> tuple[object, ...]:
    return policy.tier, policy.mode, policy.law, policy.retry_after_s > 0


def run(connection: Redis, terms: Terms) -> None:
    """Runs turns until SIGTERM or SIGINT, then frees the lock."""
    arbitrator = Arbitrator(connection, terms)
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    try:
        _turns(arbitrator)
    finally:
        log.info("told to end")
        signal.signal(signal.SIGALRM, _end)  # a Redis that hangs must not delay the exit
        signal.setitimer(signal.ITIMER_REAL, GOODBYE_S)
        try:
            with suppress(RedisError):
                arbitrator.leave()
        finally:  # the interpreter's exit restores the default handler: the alarm would kill it
            signal.setitimer(signal.ITIMER_REAL, 0)


def _end(_signal: int, _frame: object) -> NoReturn:
    raise SystemExit(0)  # an exception also interrupts a read that Redis does not answer


def _turns(arbitrator: Arbitrator) -> None:
    away_says = "Redis is away, asking again in %(rest_s).1f s: %(error)s"
    backoff = Backoff(log, (RedisError,), away_says, TURN_S, MAX_PAUSE_S)
    forever(lambda: arbitrator.loop(time.time()), backoff, every_s=TURN_S)

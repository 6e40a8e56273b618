"""Decides which samples run at the next step. Pure: no engine, no Redis, time is passed in.

Live before bulk, at once; merchants share by milliseconds; one size per forward pass; who must
run alone runs alone; nobody waits for ever.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from gpu_worker.contract import Lane
from gpu_worker.scheduling.shares import Shares

LANES = {Lane.LIVE: 0.95, Lane.BULK: 0.05}  # of the time, while both want it
OVERDUE_MS = 500.0  # so far behind, bulk holds up even a live sample's first step
SLOWER = 1.10  # bulk may make a step of live samples so much slower
TRY_EVERY = 64  # steps: then one bulk sample more is tried, so that its time is learned
PAUSED = 8  # more than these are never put aside in a lane, but when the slots get fewer

Curve = Callable[[str], Mapping[int, float]]
K = TypeVar("K")


@dataclass(slots=True)
class Ticket:
    """One order's claim to the engine. `bucket`: its size; `alone`: it is suspected of having
    killed a batch; `started`: which start it was, None before its first step."""

    id: str
    lane: Lane
    merchant: str
    bucket: str = ""
    alone: bool = False
    started: int | None = None

    @property
    def room(self) -> str:
        """Samples of one room may share a forward pass."""
        return f"{self.bucket} alone {self.id}" if self.alone else self.bucket


def _nothing_learned(_bucket: str) -> Mapping[int, float]:
    return {}


class Scheduler:
    """Holds the tickets of all orders that are ready to run, in the order in which they came."""

    def __init__(self) -> None:
        self._tickets: dict[str, Ticket] = {}
        self._merchants = {lane: Shares[str]() for lane in LANES}
        self._rooms = {lane: Shares[str]() for lane in LANES}
        self._lanes = Shares[Lane]()
        self._served: dict[tuple[Lane, str], int] = {}  # of a merchant: its latest start
        self._limits: dict[str, int] = {}
        self._starts = 0
        self._turn = 0
        self._is_beside = False  # the step's bulk samples fill slots that cost live ones little

    def __len__(self) -> int:
        return len(self._tickets)

    def add(self, ticket: Ticket) -> None:
        self._tickets[ticket.id] = ticket
        # a newcomer does not jump the ring
        self._served.setdefault((ticket.lane, ticket.merchant), self._starts)

    def remove(self, ticket_id: str) -> None:
        """Frees its slot at the next step."""
        ticket = self._tickets.pop(ticket_id, None)
        if ticket is None:
            return
        if not any(other.merchant == ticket.merchant for other in self._of(ticket.lane)):
            self._served.pop((ticket.lane, ticket.merchant), None)

    def restart_alone(self, ticket_id: str) -> None:
        """Its batch raised: it begins again, by itself."""
        ticket = self._tickets[ticket_id]
        ticket.alone, ticket.started = True, None

    def limit(self, bucket: str, most: int | None) -> None:
        """No more than so many of this size together; None: as many as there are slots."""
        if most is None:
            self._limits.pop(bucket, None)
        else:
            self._limits[bucket] = most

    def choose(self, slots: int, curve: Curve = _nothing_learned) -> list[str]:
        """The ids of the next step, at most `slots`. An empty list: nothing to do.

        `curve`: what a step of b samples of a size takes, in ms, as far as that is known.
        """
        self._turn += 1
        self._forget_the_gone()
        chosen = self._with_bulk(self._pick(Lane.LIVE, slots), slots, curve)
        for ticket in chosen:
            self._start(ticket)
        return [ticket.id for ticket in chosen]

    def spend(self, ids: Iterable[str], took_ms: float) -> None:
        """A step of these took so long: each has had an equal part of it."""
        ran = [self._tickets[run_id] for run_id in ids if run_id in self._tickets]
        if not ran:
            return
        step = _Step(took_ms / len(ran), ran, list(self._tickets.values()))
        lanes = {ticket.lane: LANES[ticket.lane] for ticket in step.present}
        self._settle_lanes(step, lanes)
        for lane in lanes:
            part = step.of(lane)
            merchants = {ticket.merchant: 1.0 for ticket in part.present}
            part.settle(self._merchants[lane], lambda ticket: ticket.merchant, merchants)
            part.settle(self._rooms[lane], lambda ticket: ticket.room, _room_weights(part.present))

    def _settle_lanes(self, step: _Step, lanes: Mapping[Lane, float]) -> None:
        """A spare slot is nobody's: it is not paid for, and bulk is owed nothing meanwhile, unless
        some of it waits in another room. Live samples that all run still wanted the step for
        themselves."""
        if self._is_beside:
            room = step.ran[0].room
            if all(t.room == room for t in step.present if t.lane is Lane.BULK):
                return
            step = replace(step, ran=[t for t in step.ran if t.lane is Lane.LIVE])
        step.settle(self._lanes, lambda ticket: ticket.lane, lanes, waiting=set(lanes))

    def _forget_the_gone(self) -> None:
        """Where nobody waited nobody is owed anything."""
        for lane in LANES:
            if not self._of(lane):
                self._merchants[lane].clear()
                self._rooms[lane].clear()
                self._lanes.clear()

    # --- one lane --------------------------------------------------------------------------------

    def _of(self, lane: Lane) -> list[Ticket]:
        return [ticket for ticket in self._tickets.values() if ticket.lane is lane]

    def _pick(self, lane: Lane, slots: int, room: str | None = None) -> list[Ticket]:
        """Whom a lane would send into the next step, were it alone; all of one room."""
        mine = self._of(lane)
        started = [ticket for ticket in mine if ticket.started is not None]
        if len(started) >= slots + PAUSED:
            mine = started
        if room is None and mine:
            room = self._next_room(lane, mine)
        fitting = [ticket for ticket in mine if ticket.room == room]
        return self._in_turns(lane, fitting, self._most(fitting, slots))

    def _most(self, tickets: Sequence[Ticket], slots: int) -> int:
        return min(slots, self._limits.get(tickets[0].bucket, slots)) if tickets else 0

    def _next_room(self, lane: Lane, tickets: Sequence[Ticket]) -> str:
        """The one that is furthest behind; between equals, where somebody has not begun."""
        fresh = {ticket.room for ticket in tickets if ticket.started is None}
        rooms = dict.fromkeys(ticket.room for ticket in tickets)
        return min(rooms, key=lambda room: (self._rooms[lane].ahead(room), room not in fresh))

    def _in_turns(self, lane: Lane, tickets: Sequence[Ticket], slots: int) -> list[Ticket]:
        """Each merchant gets a first slot before any gets a second. Among equals those who have
        begun go on, then comes who is furthest behind; within a merchant as they came."""
        queues: dict[str, list[Ticket]] = defaultdict(list)
        for ticket in sorted(tickets, key=lambda t: t.started or self._starts + 1):
            queues[ticket.merchant].append(ticket)
        picked: list[Ticket] = []
        held: Counter[str] = Counter()
        while queues and len(picked) < slots:
            merchant = min(queues, key=lambda m: (held[m], *self._rank(lane, queues[m][0])))
            picked.append(queues[merchant].pop(0))
            held[merchant] += 1
            if not queues[merchant]:
                del queues[merchant]
        return picked

    def _rank(self, lane: Lane, ticket: Ticket) -> tuple[float, float, int]:
        if ticket.started is not None:
            return (ticket.started, 0.0, 0)
        ahead = self._merchants[lane].ahead(ticket.merchant)
        return (float("inf"), ahead, self._served[lane, ticket.merchant])

    def _start(self, ticket: Ticket) -> None:
        if ticket.started is None:
            self._starts += 1
            ticket.started = self._starts
            self._served[ticket.lane, ticket.merchant] = self._starts

    # --- the two together ------------------------------------------------------------------------

    def _with_bulk(self, live: list[Ticket], slots: int, curve: Curve) -> list[Ticket]:
        self._is_beside = False
        if not live:
            return self._pick(Lane.BULK, slots)
        room, slots = live[0].room, self._most(live, slots)
        beside = self._pick(Lane.BULK, self._spare(len(live), slots, curve(room)), room)
        if self._lanes.ahead(Lane.BULK) < 0:
            turn = self._bulks_turn(live, beside, slots)
            if turn is not None:
                return turn
        self._is_beside = bool(beside)
        return live + beside

    def _spare(self, live: int, slots: int, curve: Mapping[int, float]) -> int:
        """Now and then one more than is known to be good, so that it becomes known."""
        return min(slots - live, bulk_beside(live, slots, curve) + (self._turn % TRY_EVERY == 0))

    def _bulks_turn(
        self, live: list[Ticket], beside: list[Ticket], slots: int
    ) -> list[Ticket] | None:
        """What bulk is owed: a step of its own where its next sample is of another room, else one
        slot beside the live samples. A live sample that has begun makes place for it; a first
        step does not, as long as bulk can wait."""
        overdue = self._lanes.ahead(Lane.BULK) < -OVERDUE_MS
        may_wait = [ticket for ticket in live if overdue or ticket.started is not None]
        own = self._pick(Lane.BULK, slots)
        if own[0].room != live[0].room:
            return own if len(may_wait) == len(live) else None
        if beside:
            return None  # it has more than that already
        if len(live) < slots:
            return live + own[:1]
        return [t for t in live if t is not may_wait[-1]] + own[:1] if may_wait else None


def bulk_beside(live: int, slots: int, curve: Mapping[int, float]) -> int:
    """How many bulk samples may run beside so many live ones. A step is not expected to take
    longer with fewer samples, so that the largest good batch vouches for those below it."""
    bearable_ms = SLOWER * curve.get(live, 0.0)
    good = [batch for batch, took_ms in curve.items() if took_ms <= bearable_ms]
    return max(0, min(slots, max(good, default=0)) - live)


@dataclass(frozen=True, slots=True)
class _Step:
    """Who ran, among whom, and the ms that each of them had."""

    each_ms: float
    ran: Sequence[Ticket]
    present: Sequence[Ticket]

    def of(self, lane: Lane) -> _Step:
        ran = [ticket for ticket in self.ran if ticket.lane is lane]
        return _Step(self.each_ms, ran, [t for t in self.present if t.lane is lane])

    def settle(
        self,
        shares: Shares[K],
        group: Callable[[Ticket], K],
        weights: Mapping[K, float],
        waiting: Container[K] | None = None,
    ) -> None:
        """`waiting`: who wanted more than it got; else whoever has a sample that did not run."""
        took = {who: n * self.each_ms for who, n in Counter(map(group, self.ran)).items()}
        ids = {ticket.id for ticket in self.ran}
        idle = {group(ticket) for ticket in self.present if ticket.id not in ids}
        shares.pay(took, weights, idle if waiting is None else waiting)


def _room_weights(tickets: Iterable[Ticket]) -> dict[str, float]:
    """Every merchant weighs one, divided among the rooms in which it has samples."""
    rooms: dict[str, set[str]] = defaultdict(set)
    for ticket in tickets:
        rooms[ticket.merchant].add(ticket.room)
    weights: dict[str, float] = defaultdict(float)
    for own in rooms.values():
        for room in own:
            weights[room] += 1 / len(own)
    return weights

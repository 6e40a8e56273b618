"""Decides which samples run at the next step. Pure: no engine, no Redis, time is passed in.

Live before bulk, at once; merchants take turns; one size bucket per forward pass; who must run
alone runs alone; nobody waits for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gpu_worker.contract import Lane

BULK_TURN = 20  # every 20th step bulk comes first, so that it keeps 5 % of the time
PATIENCE_S = 2.0


@dataclass(slots=True)
class Ticket:
    """One order's claim to the engine. `alone`: it is suspected of having killed a batch."""

    id: str
    lane: Lane
    merchant: str
    joined_at: float
    bucket: str = ""
    alone: bool = False
    started: int | None = None  # the turn of its first step


class Scheduler:
    """Holds the tickets of all orders that are ready to run, in the order in which they came."""

    def __init__(self, patience_s: float = PATIENCE_S):
        self._patience_s = patience_s
        self._tickets: dict[str, Ticket] = {}
        self._turn = 0
        self._served: dict[str, int] = {}  # merchant -> the count when it last got a slot
        self._starts = 0

    def __len__(self) -> int:
        return len(self._tickets)

    def add(self, ticket: Ticket) -> None:
        self._tickets[ticket.id] = ticket
        self._served.setdefault(ticket.merchant, self._starts)  # a newcomer does not jump the ring

    def remove(self, ticket_id: str) -> None:
        """Frees its slot at the next step."""
        self._tickets.pop(ticket_id, None)
        if not self._tickets:
            self._served.clear()

    def restart_alone(self, ticket_id: str) -> None:
        """Its batch raised: it begins again, by itself."""
        ticket = self._tickets[ticket_id]
        ticket.alone, ticket.started = True, None

    def choose(self, slots: int, now: float) -> list[str]:
        """The ids of the next step, at most `slots`. An empty list: nothing to do."""
        self._turn += 1
        chosen: list[Ticket] = []
        for ticket in self._by_priority():
            if len(chosen) >= slots or (chosen and chosen[0].alone):
                break
            if chosen and not self._fits(ticket, chosen[0]):
                if now - ticket.joined_at > self._patience_s and ticket.started is None:
                    break  # nobody overtakes it any more: the others run out, then it runs
                continue
            chosen.append(ticket)
            self._start(ticket)
        return [ticket.id for ticket in chosen]

    @staticmethod
    def _fits(ticket: Ticket, first: Ticket) -> bool:
        return not ticket.alone and ticket.bucket == first.bucket

    def _start(self, ticket: Ticket) -> None:
        if ticket.started is None:
            self._starts += 1
            ticket.started = self._turn
            self._served[ticket.merchant] = self._starts

    def _by_priority(self) -> Iterator[Ticket]:
        lanes = [Lane.LIVE, Lane.BULK]
        if self._turn % BULK_TURN == 0:
            lanes.reverse()
        for lane in lanes:
            mine = [t for t in self._tickets.values() if t.lane == lane]
            running = [t for t in mine if t.started is not None]
            yield from sorted(running, key=lambda t: t.started or 0)
            yield from self._in_turns([t for t in mine if t.started is None])

    def _in_turns(self, waiting: list[Ticket]) -> Iterator[Ticket]:
        """Always the merchant whose last turn is longest ago; within a merchant as they came."""
        while waiting:
            following = min(waiting, key=lambda t: self._served[t.merchant])
            waiting.remove(following)
            yield following

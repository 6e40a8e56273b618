"""What the threads of a worker share: who waits for room hears of it at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from gpu_worker.contract import Lane
from gpu_worker.queue.leases import Capacity, Claim
from gpu_worker.worker.bill import Bill
from gpu_worker.worker.book import SLOW_S, Book
from gpu_worker.worker.request import Request

NEVER_S = 60  # nobody waits so long: the test would say so first


def held(job_id: str, lane: str = "live", merchant: str = "mer_ada") -> Request:
    nobody: Any = None
    return Request(Claim(job_id, "1", f"null:{lane}:{merchant}"), nobody, nobody)


def waiting(book: Book, slots: int, beyond: Capacity) -> threading.Thread:
    thread = threading.Thread(target=book.wait_for_room, args=(slots, beyond, NEVER_S), daemon=True)
    thread.start()
    return thread


def has_heard(thread: threading.Thread) -> bool:
    thread.join(10)
    return not thread.is_alive()


@pytest.mark.parametrize("lane", ["live", "bulk"])
def test_a_slot_that_becomes_free_is_room(lane: str) -> None:
    book, one = Book(Bill()), held("try_1", lane)
    book.add(one)
    thread = waiting(book, 1, book.room(1))
    assert book.start_leaving(one)
    book.forget(one)
    assert has_heard(thread)


def test_a_last_step_is_room_for_the_next() -> None:
    book, one = Book(Bill()), held("try_1")
    book.add(one)
    book.arrive(one, "its order")
    assert book.take_ready() == [one]
    thread = waiting(book, 1, book.room(1))
    book.note_last_step([one.id])
    assert has_heard(thread)


def test_who_rings_is_heard_even_before_anybody_listens() -> None:
    book = Book(Bill())
    book.ring()
    assert has_heard(waiting(book, 1, book.room(1)))


def test_what_is_no_more_room_wakes_nobody() -> None:
    book = Book(Bill())
    thread = waiting(book, 1, book.room(1))
    book.add(held("try_1"))
    book.arrive(held("try_2"), None)  # something changes
    assert thread.is_alive()
    book.ring()
    assert has_heard(thread)


ROOMS = [
    ("nobody is here", [], Capacity(4, 4, 1)),
    ("bulk alone fills the slots", ["bulk"] * 4, Capacity(4, 0, 0)),
    ("one live, nothing may run beside it", ["live"], Capacity(3, 0, 1)),
    ("one live, and one bulk", ["live", "bulk"], Capacity(3, 0, 0)),
    ("one merchant's live jobs fill the slots", ["live"] * 4, Capacity(0, 0, 1, newcomers=3)),
]


@pytest.mark.parametrize(("case", "lanes", "room"), ROOMS)
def test_only_what_will_run_is_claimed(case: str, lanes: list[str], room: Capacity) -> None:
    """Another worker may have more room for bulk; one is taken for its twentieth of the time."""
    book = Book(Bill(), beside=lambda _live, _slots: 0)
    for n, lane in enumerate(lanes):
        book.add(held(f"try_{n}", lane))
    assert book.room(4) == room, case


def test_inputs_that_are_slow_to_come_hold_no_slot_against_other_merchants() -> None:
    """A picture that takes seconds to be read, on a worker of one slot."""
    book, slow, next_one = Book(Bill()), held("pho_1"), held("pho_2", merchant="mer_cleo")
    book.add(slow)
    assert book.room(1).newcomers == 0
    slow.claimed_at -= 2 * SLOW_S
    assert book.room(1) == Capacity(0, 0, 1, newcomers=1)
    assert book.room(1).here == {"mer_ada"}
    book.add(next_one)
    assert book.room(1).newcomers == 0  # it may get the slot at any moment
    next_one.claimed_at -= 2 * SLOW_S
    assert book.room(1).newcomers == 1
    book.add(held("pho_3", merchant="mer_dora"))
    assert book.room(1).newcomers == 0  # no more than three times the slots


def test_a_slow_one_that_has_arrived_holds_its_slot() -> None:
    book, slow = Book(Bill()), held("pho_1")
    book.add(slow)
    slow.claimed_at -= 2 * SLOW_S
    book.arrive(slow, "its order")
    assert book.room(1).newcomers == 0
    assert book.take_ready() == [slow]
    assert book.room(1).newcomers == 0


def test_bulk_that_costs_live_little_is_claimed_too() -> None:
    book = Book(Bill(), beside=lambda live, slots: min(2, slots - live))
    book.add(held("try_1"))
    assert book.room(4) == Capacity(3, 2, 1)


def test_who_comes_back_joins_only_after_its_earlier_self_has_left() -> None:
    """Lost, recovered and claimed again while the step loop was on its way from the one to the
    other: taken out after it had joined, it would be held for ever and never run."""
    book, before, again = Book(Bill()), held("try_1"), held("try_1")
    book.add(before)
    assert book.start_leaving(before)
    book.forget(before)
    book.add(again)
    book.arrive(again, "its order")
    assert book.take_ready() == []
    assert book.take_left() == {"try_1"}
    assert book.take_ready() == [again]


def test_what_was_spent_on_the_inputs_is_paid_whenever_it_is_told() -> None:
    bill, one = Bill(), held("try_1")
    book = Book(bill)
    book.add(one)
    book.charge(one, 300)
    book.spend({one.id: 20})
    assert book.start_leaving(one)
    book.forget(one)  # cancelled while its picture was read
    assert bill.take() == {(Lane.LIVE, "mer_ada"): 320}
    book.charge(one, 40)
    assert bill.take() == {(Lane.LIVE, "mer_ada"): 40}

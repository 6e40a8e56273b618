"""Who gets a free place, and who never holds them all."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_worker.confined.turns import Turns
from tests.waiting import wait_for


@dataclass
class Asked:
    """Threads that ask one after the other and hold their place until told."""

    turns: Turns[int]
    got: list[str] = field(default_factory=list)
    count: int = 0

    def ask(self, owner: str, until: threading.Event) -> None:
        threading.Thread(target=self._hold, args=(owner, until), daemon=True).start()
        self.count += 1
        wait_for(lambda: len(self.got) + self.turns.waiting() == self.count)

    def _hold(self, owner: str, until: threading.Event) -> None:
        with self.turns.place(owner):
            self.got.append(owner)
            until.wait()


@given(st.integers(1, 4), st.lists(st.sampled_from(["cleo", "dora", "ada"]), max_size=8))
@settings(max_examples=40, deadline=None)
def test_one_owner_never_has_the_last_place_and_nobody_waits_beside_a_free_one(
    places: int, owners: list[str]
) -> None:
    let_go = threading.Event()
    turns = Turns(list(range(places)))
    asked = Asked(turns)
    for owner in owners:
        asked.ask(owner, let_go)
    got = asked.got
    most = max(1, places - 1)
    assert all(got.count(owner) <= most for owner in got)
    could = sum(min(most, owners.count(owner)) for owner in set(owners))
    assert len(got) == min(places, could)
    let_go.set()
    wait_for(lambda: len(got) == len(owners))
    with ExitStack() as held:  # all places came back
        assert {held.enter_context(turns.place(None)) for _ in range(places)} == set(range(places))


def test_who_has_fewest_comes_next_whoever_came_first() -> None:
    let_go, first_go = threading.Event(), threading.Event()
    asked = Asked(Turns([0, 1, 2]))
    for owner, until in (("cleo", let_go), ("dora", let_go), ("cleo", first_go)):
        asked.ask(owner, until)
    for owner in ("cleo", "dora", "ada"):
        asked.ask(owner, first_go)
    assert len(asked.got) == 3
    first_go.set()
    wait_for(lambda: len(asked.got) == 6)
    let_go.set()
    assert asked.got[3] == "ada"

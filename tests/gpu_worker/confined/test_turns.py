"""Who gets a free place, and who never holds them all."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack

from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_worker.confined.turns import Turns
from tests.waiting import wait_for


def served(turns: Turns[int], owners: Sequence[str | None], let_go: threading.Event) -> list[str]:
    """Threads that ask one after the other and hold their place until told. Who got one, in
    order."""
    got: list[str] = []

    def hold(owner: str | None) -> None:
        with turns.place(owner):
            got.append(str(owner))
            let_go.wait()

    for n, owner in enumerate(owners, 1):
        threading.Thread(target=hold, args=(owner,), daemon=True).start()
        wait_for(lambda n=n: len(got) + turns.waiting() == n)
    return got


@given(st.integers(1, 4), st.lists(st.sampled_from(["cleo", "dora", "ada"]), max_size=8))
@settings(max_examples=40, deadline=None)
def test_one_owner_never_has_the_last_place_and_nobody_waits_beside_a_free_one(
    places: int, owners: list[str]
) -> None:
    let_go = threading.Event()
    turns = Turns(list(range(places)))
    got = served(turns, owners, let_go)
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
    turns = Turns([0, 1, 2])
    served(turns, ["cleo", "dora"], let_go)
    served(turns, ["cleo"], first_go)
    late: list[str] = []
    for owner in ("cleo", "dora", "ada"):
        waiting = turns.waiting()

        def ask(owner: str = owner) -> None:
            with turns.place(owner):
                late.append(owner)

        threading.Thread(target=ask, daemon=True).start()
        wait_for(lambda before=waiting: turns.waiting() == before + 1)
    first_go.set()
    wait_for(lambda: len(late) == 3)
    let_go.set()
    assert late[0] == "ada"

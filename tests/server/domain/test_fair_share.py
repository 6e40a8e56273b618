"""Whether a full line has room for one more: held for arbitrary counts and newcomers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.fair_share import Place, admits

sites, addresses = st.sampled_from("xyz"), st.sampled_from(["1", "2", "3", "4", None])
places = st.tuples(st.sampled_from("abcdef"), sites, addresses)
ones = st.tuples(st.just("a"), sites, addresses)
# Small, so that who holds exactly a share comes often.
lines = st.dictionaries(places, st.integers(1, 6), max_size=12)
limits = st.integers(1, 24)


def by_merchant(line: dict[Place, int], newcomer: Place) -> Counter[str]:
    held = Counter({newcomer[0]: 0})
    for place, count in line.items():
        held[place[0]] += count
    return held


@given(lines, places, limits, st.booleans())
def test_who_holds_a_fair_share_or_less_is_never_refused_while_another_holds_more(
    line: dict[Place, int], newcomer: Place, most: int, sheds: bool
) -> None:
    held = by_merchant(line, newcomer)
    depth = sum(held.values())
    share = (min(most, depth) if sheds else most) / len(held)
    another_above = any(n > share for merchant, n in held.items() if merchant != newcomer[0])
    if depth == 0 or (held[newcomer[0]] <= share and another_above):
        assert admits(line, newcomer, most, sheds=sheds)


@given(lines, places, limits)
def test_a_line_with_room_refuses_nobody_and_one_that_sheds_no_fewer(
    line: dict[Place, int], newcomer: Place, most: int
) -> None:
    if sum(line.values()) < most:
        assert admits(line, newcomer, most, sheds=False)
    if not admits(line, newcomer, most, sheds=False):
        assert not admits(line, newcomer, most, sheds=True)


@given(st.lists(places, max_size=400), st.integers(1, 20))
def test_no_order_of_arrivals_makes_the_line_endless(arrivals: list[Place], most: int) -> None:
    """Every merchant is owed its share of a line that others filled before: the k-th at least
    a k-th part. Sites and addresses are owed nothing beyond twice the line."""
    line = arrive(arrivals, most)
    held = Counter(place[0] for place in line.elements())
    owed = sum(most / k for k in range(1, len(held) + 1))
    assert line.total() <= 2 * most + owed + len(held)


@given(st.lists(ones, max_size=300), limits)
def test_one_merchant_has_the_whole_line_and_never_twice_as_much(
    arrivals: list[Place], most: int
) -> None:
    line = arrive(arrivals, most)
    assert line.total() >= min(len(arrivals), most)
    assert line.total() <= 2 * most


def test_a_botnet_of_sites_and_addresses_has_twice_the_line_at_most() -> None:
    most = 60
    flood = [("a", site, str(n)) for site in "stuvwxyz" for n in range(30) for _ in range(most)]
    assert most < arrive(flood, most).total() <= 2 * most


def arrive(arrivals: Iterable[Place], most: int) -> Counter[Place]:
    line: Counter[Place] = Counter()
    for newcomer in arrivals:
        line[newcomer] += admits(+line, newcomer, most, sheds=False)
    return +line


@pytest.mark.parametrize(
    ("line", "newcomer", "sheds", "expected"),
    [
        ({}, ("a", "x", "1"), True, True),
        ({("c", "x", "1"): 24}, ("a", "y", "2"), False, True),  # another merchant
        ({("c", "x", "1"): 24}, ("c", "z", "2"), False, True),  # another site of the same
        ({("c", "x", "1"): 24}, ("c", "x", "2"), False, True),  # another address of the same
        ({("c", "x", "1"): 24}, ("c", "x", "1"), False, False),
        ({("c", "x", "1"): 3}, ("c", "x", "2"), True, True),
        ({("c", "x", "1"): 3}, ("c", "x", "1"), True, False),
        ({("c", "x", "1"): 3}, ("c", "x", "1"), False, True),
        ({("a", "y", "2"): 12, ("c", "x", "1"): 12}, ("a", "y", "2"), False, False),
        ({("a", "y", "2"): 12, ("c", "x", "1"): 13}, ("a", "y", "2"), False, True),
        ({("c", "x", str(n)): 1 for n in range(24)}, ("c", "x", "new"), False, False),
        ({("c", "x", None): 24}, ("c", "x", "1"), False, True),  # her backend fills it, not she
        ({("c", "x", str(n)): 12 for n in range(4)}, ("c", "x", "new"), False, False),
    ],
)
def test_who_is_let_in_where_24_may_wait(
    line: dict[Place, int], newcomer: Place, sheds: bool, expected: bool
) -> None:
    assert admits(line, newcomer, 24, sheds=sheds) is expected

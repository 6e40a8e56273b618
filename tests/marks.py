"""Sets pytest's marks by what a test uses: a fixture, a parameter, its folder.

Only a test that starts a process of the product in its own body is marked `process` by hand;
`require` fails it if that was forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, combinations
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression, ExpressionMatcher

ROOT = Path(__file__).parent
# Their modules import torch. Where `-m` leaves it out they are not even collected.
TORCH = (ROOT / "gpu_worker" / "engines" / "catvton", ROOT / "bench" / "test_engine_bench.py")

BY_FIXTURE = {
    "launch": "browser",
    "postgres_service": "postgres",
    "radosgw_service": "ceph",
    "make_service": "process",
    "stack": "process",
}
BY_PARAMETER = {"postgres": "postgres", "radosgw": "ceph"}
BY_PLACE = {ROOT / "faults": "process", ROOT / "journey": "process"} | dict.fromkeys(TORCH, "torch")

_running: list[pytest.Item] = []


def mark(item: pytest.Item) -> None:
    for name in dict.fromkeys(_found(item)):
        item.add_marker(name)


def _found(item: pytest.Item) -> Iterator[str]:
    for fixture in getattr(item, "fixturenames", ()):
        if fixture in BY_FIXTURE:
            yield BY_FIXTURE[fixture]
    callspec = getattr(item, "callspec", None)
    for value in callspec.params.values() if callspec else ():
        if isinstance(value, str) and value in BY_PARAMETER:
            yield BY_PARAMETER[value]
    for place, name in BY_PLACE.items():
        if item.path.is_relative_to(place):
            yield name


def leaves_out(config: pytest.Config, name: str) -> bool:
    """Whether `-m` takes no test with this mark, whatever else it is marked with."""
    words = set(re.findall(r"\w+", config.option.markexpr)) - {"and", "or", "not", name}
    if not config.option.markexpr:
        return False
    takes = Expression.compile(config.option.markexpr).evaluate
    return not any(takes(_holding({name, *some})) for some in _subsets(sorted(words)))


def _holding(names: set[str]) -> ExpressionMatcher:
    def holds(name: str, /, **_: str | int | bool | None) -> bool:
        return name in names

    return holds


def _subsets(names: list[str]) -> Iterable[tuple[str, ...]]:
    return chain.from_iterable(combinations(names, count) for count in range(len(names) + 1))


def require(name: str) -> None:
    """Fails the running test unless it has this mark; does nothing outside of pytest."""
    if _running and not _running[-1].get_closest_marker(name):
        pytest.fail(f"mark this test with @pytest.mark.{name}: it is left out by that")


def begin(item: pytest.Item) -> None:
    _running[:] = [item]

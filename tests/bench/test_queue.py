"""`bench.queue` at tiny counts: every worker does its jobs, and the table and the verdict come."""

from __future__ import annotations

import pytest

from bench import queue
from tests import fork_server

pytestmark = pytest.mark.slow


def test_every_worker_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(queue, "spawn", fork_server.spawn)
    queue.main(["--rounds", "1", "--jobs", "16", "--forked", "4", "--lone", "3"])
    shown = capsys.readouterr().out
    assert [kind.name for kind in queue.KINDS if kind.name not in shown] == []
    assert "aims at batch 8" in shown


@pytest.mark.parametrize(
    ("rate", "start", "said"),
    [(1000, 5, ("met", "met")), (999, 5.01, ("missed", "missed")), (1000, 6, ("met", "missed"))],
)
def test_the_verdict(rate: float, start: float, said: tuple[str, str]) -> None:
    marks = {kind: queue.Marks([500.0], [1.0, 1.0]) for kind in queue.KINDS}
    marks[queue.KINDS[0]] = queue.Marks([100.0], [15.0, 15.0])
    batch_8 = next(kind for kind in queue.KINDS if kind.batch == 8)
    marks[batch_8] = queue.Marks([float(rate)], [start, start])
    first, second = queue.verdict(marks).split("; ")
    assert (first.split(": ")[-1], second.split(": ")[-1]) == said

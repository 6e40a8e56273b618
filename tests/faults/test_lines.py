"""The report plugin: the line of a fault, and the summary it appears in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.faults.lines import PROPERTY, Counts, Lines, line


class Terminal:
    """In place of pytest's terminal reporter."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def section(self, title: str) -> None:
        self.said.append(title)

    def write_line(self, text: str) -> None:
        self.said.append(text)


def report(told: str, when: Any = "call") -> pytest.TestReport:
    return pytest.TestReport(
        "a", ("a", 1, "a"), {}, "passed", None, when, user_properties=[(PROPERTY, told)]
    )


def test_a_line_counts_what_became_of_everybody() -> None:
    assert line(7, "sigstop", Counts(8, 8), 3.2) == (
        "fault 07 sigstop: accepted 8, succeeded 8, failed 0, lost 0, doubled 0, recovered in 3.2 s"
    )
    counts = Counts(8, 6, Counter({"worker_lost": 1, "engine_failed": 1}))
    assert "failed 2 (engine_failed, worker_lost)" in line(4, "x", counts, 1)


def test_lines_are_shown_in_order_and_kept(tmp_path: Path) -> None:
    lines, terminal = Lines(tmp_path), Terminal()
    for told in ("fault 02", "fault 01"):
        for when in ("setup", "call", "teardown"):
            lines.pytest_runtest_logreport(report(told, when))
    shown: Any = terminal
    lines.pytest_terminal_summary(shown)
    assert terminal.said == ["faults", "fault 01", "fault 02"]
    assert (tmp_path / "build" / "faults.txt").read_text() == "fault 01\nfault 02\n"


def test_a_run_without_faults_says_nothing(tmp_path: Path) -> None:
    terminal: Any = Terminal()
    Lines(tmp_path).pytest_terminal_summary(terminal)
    assert terminal.said == []
    assert not (tmp_path / "build").exists()

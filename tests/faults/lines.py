"""The report of the fault tests: a pytest plugin that shows a line per fault at the end of the run.

The lines are also written to build/faults.txt. Under xdist they come with the tests' reports.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROPERTY = "fault"
FOLDER = "build"
FILE = "faults.txt"


@dataclass(frozen=True, slots=True)
class Counts:
    """How accepted try-ons ended. `failed`: by reason; `lost`, `doubled`: see docs/faults.md."""

    accepted: int
    succeeded: int
    failed: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0

    def text(self) -> str:
        reasons = ", ".join(sorted(self.failed))
        failed = f"failed {self.failed.total()}" + (f" ({reasons})" if reasons else "")
        return (
            f"accepted {self.accepted}, succeeded {self.succeeded}, {failed},"
            f" lost {self.lost}, doubled {self.doubled}"
        )


def line(number: int, name: str, counts: Counts, recovered_s: float, more: str = "") -> str:
    """The line of one fault. `number`: that of docs/faults.md; `more`: what else was counted."""
    told = f"fault {number:02} {name}: {counts.text()}, recovered in {recovered_s:.1f} s"
    return f"{told}; {more}" if more else told


class Lines:
    """The plugin: collects the lines of all reports, in the process that shows the summary."""

    def __init__(self, root: Path):
        self._root = root
        self._lines: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            told = (value for name, value in report.user_properties if name == PROPERTY)
            self._lines.update(map(str, told))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._lines:
            return
        lines = sorted(self._lines)
        terminalreporter.section("faults")
        for told in lines:
            terminalreporter.write_line(told)
        folder = self._root / FOLDER
        folder.mkdir(exist_ok=True)
        (folder / FILE).write_text("\n".join([*lines, ""]))

"""The worker's log: one format for all lines, with the id of the job that a line is about."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
from structlog.contextvars import bound_contextvars

from gpu_worker import log


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_lines_carry_the_job_and_the_error(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("json")
    with bound_contextvars(job="try_1"):
        try:
            raise OSError("no store")
        except OSError:
            logging.getLogger("gpu_worker.worker").exception("fetching failed")
    logging.getLogger("gpu_worker.worker").info("on with %d", 2)
    failed, after = map(json.loads, capsys.readouterr().err.splitlines())
    assert (failed["job"], failed["level"], failed["event"]) == (
        "try_1", "error", "fetching failed",
    )  # fmt: skip
    assert "OSError: no store" in failed["exception"]
    assert "job" not in after
    assert after["event"] == "on with 2"


def test_lines_for_people_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("text")
    logging.getLogger("gpu_worker.worker").warning("slow")
    logging.getLogger("rq.worker").info("noise")
    (line,) = capsys.readouterr().err.splitlines()
    assert "slow" in line
    assert "gpu_worker.worker" in line

"""Structured logs of the worker's processes: text or JSON, each line with the id of its job.

Code that works for a job binds its id with `structlog.contextvars.bound_contextvars(job=…)`.
"""

from __future__ import annotations

import logging
from typing import Literal

import structlog

_QUIET = ("rq.worker", "rq.job", "rq.queue", "botocore")
_EVERY_LINE: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure(form: Literal["text", "json"]) -> None:
    """Formats all of the standard library's logging this way and sends it to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_EVERY_LINE,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(form),
            ],
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _rendering(form: str) -> list[structlog.typing.Processor]:
    if form == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    plain = structlog.dev.plain_traceback  # the default prints variables, which may be private
    return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]

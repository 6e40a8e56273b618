"""Try-ons: one picture asked for, its place in line, its end, its deletion.

`accept` takes a new one in, `rows` is everything that happens to it afterwards. An act opens its
own unit of work; `bury`, `enqueue` and `job_of` are for acts and steward.
"""

from server.domain.try_ons.accept import NewTryOn, Options, create
from server.domain.try_ons.rows import (
    UNFINISHED,
    bury,
    cancel,
    change,
    enqueue,
    get,
    job_of,
    listing,
    remove,
    retry,
)

__all__ = [
    "UNFINISHED",
    "NewTryOn",
    "Options",
    "bury",
    "cancel",
    "change",
    "create",
    "enqueue",
    "get",
    "job_of",
    "listing",
    "remove",
    "retry",
]

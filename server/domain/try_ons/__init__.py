"""Try-ons: one picture asked for, its place in line, its end, its deletion.

`accept` takes a new one in, `rows` is what is done to it afterwards, `settle` what events make of
it; all of them by `lifecycle`, its state machine. An act opens its own unit of work; what takes a
`Work` is for acts and steward.
"""

from server.domain.try_ons.accept import NewTryOn, create
from server.domain.try_ons.lifecycle import UNFINISHED
from server.domain.try_ons.rows import (
    cancel,
    change,
    delete_with_objects,
    end_overdue,
    enqueue,
    get,
    job_of,
    listing,
    put_back,
    remove,
    retry,
)

__all__ = [
    "UNFINISHED",
    "NewTryOn",
    "cancel",
    "change",
    "create",
    "delete_with_objects",
    "end_overdue",
    "enqueue",
    "get",
    "job_of",
    "listing",
    "put_back",
    "remove",
    "retry",
]

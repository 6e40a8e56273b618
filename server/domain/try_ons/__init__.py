"""Try-ons: requests for one picture, from accepted to deleted.

`accept` creates them, `rows` reads, changes and deletes them, `settle` applies workers' events, all
by the state machine in `lifecycle`; `pace` predicts waiting times.
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

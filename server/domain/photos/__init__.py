"""Photos of shoppers: checked by the tailor, read by engines only as its clean copy, deleted whole.

`rows` is what is done to one, `lifecycle` its state machine and what events make of it.
"""

from server.domain.photos.rows import (
    PLACE,
    choose_person,
    create,
    delete_with_objects,
    end_overdue,
    enqueue,
    get,
    job_of,
    recent,
    remove,
)

__all__ = [
    "PLACE",
    "choose_person",
    "create",
    "delete_with_objects",
    "end_overdue",
    "enqueue",
    "get",
    "job_of",
    "recent",
    "remove",
]

"""Photos of shoppers: checked by the tailor; engines read only the clean copy that it makes.

`rows` reads and changes them, `lifecycle` is the state machine and applies workers' events.
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

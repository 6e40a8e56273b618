"""Garments of a site: announced by SKU, cleaned by the tailor, tried on by shoppers.

`rows` is what is done to one, `jobs` which job it must have, `lifecycle` its state machine and what
events make of it.
"""

from server.domain.garments.rows import (
    NewGarment,
    by_sku,
    change,
    create,
    end_overdue,
    find_by_sku,
    get,
    listing,
    remove,
)

__all__ = [
    "NewGarment",
    "by_sku",
    "change",
    "create",
    "end_overdue",
    "find_by_sku",
    "get",
    "listing",
    "remove",
]

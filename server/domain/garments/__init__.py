"""Garments of a site: added by SKU, cut out by the tailor, tried on by shoppers.

`rows` reads and changes them, `jobs` says which job one needs, `lifecycle` is the state machine and
applies workers' events.
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

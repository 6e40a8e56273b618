"""Database tables (SQLAlchemy models). Rows are the truth; Redis only holds hints about them.

Must not know requests, Redis or the store. Every row that a caller can name has `merchant_id` and
`site_id`, so that every query can be scoped to its owner.
"""

from server.models.base import Base, UtcDateTime, new_id, now
from server.models.doomed_object import DoomedObject
from server.models.garment import Garment
from server.models.merchants import DashboardSession, Merchant, SecretKey, Site, User
from server.models.photo import Photo
from server.models.shopper import Shopper
from server.models.try_on import IdempotencyKey, TryOn
from server.models.upload import Upload

__all__ = [
    "Base",
    "DashboardSession",
    "DoomedObject",
    "Garment",
    "IdempotencyKey",
    "Merchant",
    "Photo",
    "SecretKey",
    "Shopper",
    "Site",
    "TryOn",
    "Upload",
    "User",
    "UtcDateTime",
    "new_id",
    "now",
]

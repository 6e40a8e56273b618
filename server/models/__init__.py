"""The rows: who owns what and where each thing stands. The row is the truth.

Knows SQLAlchemy and the contract's words; no request, no Redis, no store. Every row that a
caller can name carries `merchant_id` and `site_id`, so that every query can be owner-scoped.
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

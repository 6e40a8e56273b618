"""What goes over the wire at /v1: every body in and out, with limits and examples; a file for each
noun.

Unknown fields are refused. Shapes out are those of `rendering/json`; a test holds them together.
"""

from server.web.api.schemas.base import PageQuery, ReasonOut
from server.web.api.schemas.boot import BootIn, BootOut
from server.web.api.schemas.garment import (
    GarmentChangeIn,
    GarmentIn,
    GarmentOut,
    GarmentsOut,
    GarmentsQuery,
)
from server.web.api.schemas.live_ticket import LiveTicketOut
from server.web.api.schemas.photo import PhotoChangeIn, PhotoIn, PhotoOut
from server.web.api.schemas.problem import Problem
from server.web.api.schemas.shopper_token import ShopperTokenIn, ShopperTokenOut
from server.web.api.schemas.try_on import (
    FailureOut,
    OptionsIn,
    TimingsOut,
    TryOnChangeIn,
    TryOnIn,
    TryOnOut,
    TryOnsOut,
    TryOnsQuery,
)
from server.web.api.schemas.upload import UploadIn, UploadOut

__all__ = [
    "BootIn",
    "BootOut",
    "FailureOut",
    "GarmentChangeIn",
    "GarmentIn",
    "GarmentOut",
    "GarmentsOut",
    "GarmentsQuery",
    "LiveTicketOut",
    "OptionsIn",
    "PageQuery",
    "PhotoChangeIn",
    "PhotoIn",
    "PhotoOut",
    "Problem",
    "ReasonOut",
    "ShopperTokenIn",
    "ShopperTokenOut",
    "TimingsOut",
    "TryOnChangeIn",
    "TryOnIn",
    "TryOnOut",
    "TryOnsOut",
    "TryOnsQuery",
    "UploadIn",
    "UploadOut",
]

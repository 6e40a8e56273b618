"""Schemas (pydantic) of all bodies and queries of /v1, with limits and examples; one file per noun.

Unknown fields are refused. A test keeps the schemas of answers equal to what `rendering/json`
makes. Docstrings of the schemas are public: they appear in the OpenAPI description.
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

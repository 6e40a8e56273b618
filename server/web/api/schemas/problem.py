"""Schema of every refusal."""

from __future__ import annotations

from pydantic import BaseModel

from server.web.api.schemas.base import given


class Problem(BaseModel):
    """RFC 9457 problem details. `code` is stable, `detail` says what to do about it."""

    model_config = given(
        {
            "type": "/docs#photo_not_ready",
            "title": "Photo not ready",
            "status": 409,
            "code": "photo_not_ready",
            "detail": "Wait until the photo's status is ready.",
            "param": "photo_id",
            "request_id": "req_1f2e3d4c5b6a7988",
        }
    )
    type: str
    title: str
    status: int
    code: str
    detail: str
    param: str | None
    request_id: str

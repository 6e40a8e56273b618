"""Schema of a live ticket."""

from __future__ import annotations

from pydantic import BaseModel


class LiveTicketOut(BaseModel):
    ticket: str
    expires_in_s: int

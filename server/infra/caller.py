"""Who calls, which rows are theirs, and what of a shopper's row they may see.

Pure: acts and steward use it without a request. How a caller proves itself: `server/auth`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal, Self, TypeVar

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from server.infra.errors import Code, Problem
from server.models import Base, Photo, Shopper, TryOn, User

CallerKind = Literal["shopper", "secret", "user", "embed"]

Row = TypeVar("Row", bound=Base)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """kind: shopper (widget), secret (merchant's backend), user (dashboard), embed (boot only).

    A user is not bound to a site; `mode` is `live | test` and does not narrow a user.
    `session_id`: with a live ticket, the dashboard session that it was given to.
    """

    kind: CallerKind
    merchant_id: str
    site_id: str | None = None
    shopper_id: str | None = None
    mode: str = "live"
    role: str | None = None
    session_id: str | None = None

    @classmethod
    def of_user(cls, user: User) -> Self:
        return cls(kind="user", merchant_id=user.merchant_id, role=user.role)

    @property
    def owner(self) -> str:
        """Names the caller where rows of several callers meet (idempotency, rate limits)."""
        return self.shopper_id or f"{self.site_id or self.merchant_id}:{self.mode}"

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        return cls(**json.loads(text))


def sees_picture(kind: CallerKind, row: Photo | TryOn) -> bool:
    """Whether a caller of this kind, whose row it is, gets what shows the person on it: photo,
    boxes, picture and partial picture. The one place that decides it.

    What a secret key made itself has no shopper, and is its own. A dashboard's people see what
    was shared and nothing else.
    """
    if kind == "shopper" or (kind == "secret" and row.shopper_id is None):
        return True
    return isinstance(row, TryOn) and row.shared


def owned(query: Select[Row], model: type[Row], caller: Caller) -> Select[Row]:
    """Narrows a query to the caller's rows: a foreign id is as unknown as one that never was."""
    columns = model.__table__.c
    query = query.where(columns.merchant_id == caller.merchant_id)
    if caller.site_id is not None:
        query = query.where(columns.site_id == caller.site_id)
    if caller.kind == "shopper" and "shopper_id" in columns:
        query = query.where(columns.shopper_id == caller.shopper_id)
    if caller.kind != "shopper" and model.hers_alone:
        query = query.where(columns.shopper_id.is_(None))
    if caller.kind in ("shopper", "secret") and "mode" in columns:
        query = query.where(columns.mode == caller.mode)
    return query


def require_site(caller: Caller) -> str:
    """The site a row is made for. A dashboard user names it before (`Caller.site_id`)."""
    if caller.site_id is None:
        raise Problem(Code.INVALID, "Name the site.", param="site_id")
    return caller.site_id


def keep_shopper(session: Session, caller: Caller) -> None:
    """What is made for a shopper is made before she is erased, and goes with her, or not at all.

    Raises:
        Problem: bad_token, where she was erased since she proved herself.
    """
    if caller.kind != "shopper":
        return
    if session.get(Shopper, caller.shopper_id, with_for_update=True) is None:
        raise Problem(Code.BAD_TOKEN)


def get_owned(
    session: Session,
    model: type[Row],
    caller: Caller,
    row_id: str,
    *,
    missing: Code,
    lock: bool = False,
) -> Row:
    """The row of this id if it is the caller's.

    Raises:
        Problem: `missing` (404), for a foreign id as for an unknown one.
    """
    query = owned(select(model).where(model.__table__.c.id == row_id), model, caller)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise Problem(missing)
    return row

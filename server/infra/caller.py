"""Authorisation: the caller (principal), which rows are theirs, who may see a shopper's picture.

Needs no request, so that domain and steward can use it. Authentication is in `server/auth`.
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
    """An authenticated caller. Kinds: shopper (widget), secret (merchant's backend), user
    (dashboard), embed (boot and the widget's document, before there is a shopper).

    A user is bound to a merchant, the others also to a site. `mode`, `live` or `test`, restricts
    everyone but users. `session_id`: only of a live ticket, the dashboard session that it belongs
    to.
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
        """A key for what is counted or kept per caller (idempotency keys, rate limits)."""
        return self.shopper_id or f"{self.site_id or self.merchant_id}:{self.mode}"

    def to_json(self) -> str:
        """The form in which a live ticket keeps the caller in Redis."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        return cls(**json.loads(text))


def sees_picture(kind: CallerKind, row: Photo | TryOn) -> bool:
    """Whether a caller of this kind may see the person on a row: photo, boxes of people, picture
    and partial picture. The only place that decides it; `owned` has decided whose row it is.

    A shopper sees her own. A secret key sees rows without a shopper, which its site's backend made,
    and like dashboard users what a shopper has shared.
    """
    if kind == "shopper" or (kind == "secret" and row.shopper_id is None):
        return True
    return isinstance(row, TryOn) and row.shared


def owned(query: Select[Row], model: type[Row], caller: Caller) -> Select[Row]:
    """Adds the caller's ownership to a query: somebody else's id is then as unknown as one that
    does not exist, so that ids cannot be probed."""
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
    """The site that a new row belongs to. For a dashboard user the view must set `Caller.site_id`.

    Raises:
        Problem: invalid, if there is none.
    """
    if caller.site_id is None:
        raise Problem(Code.INVALID, "Name the site.", param="site_id")
    return caller.site_id


def keep_shopper(session: Session, caller: Caller) -> None:
    """Locks the shopper's row for this transaction: a concurrent erasure waits for it and then
    deletes what it added, or has come first, and nothing is added.

    Raises:
        Problem: bad_token, if she was erased after the request was authenticated.
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
    """The row of this id if it is the caller's; `lock` takes a row lock (FOR UPDATE).

    Raises:
        Problem: `missing` (404), alike for an unknown id and for somebody else's.
    """
    query = owned(select(model).where(model.__table__.c.id == row_id), model, caller)
    row = session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise Problem(missing)
    return row

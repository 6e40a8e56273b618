"""Resource descriptors: the registry through which generic code handles nouns it does not know.

`server/nouns` fills the table, one file per noun. Steward, live sockets and downloads read it, so
that a new noun is one new entry. What a noun lacks (jobs, lifetime, pages, files) is None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, Literal, Protocol, TypeAlias, TypeVar

from sqlalchemy import ColumnElement
from sqlalchemy.orm import InstrumentedAttribute, Session

from gpu_worker.contract import Event, Job, Lane, Subject
from server.infra.caller import Caller, CallerKind
from server.infra.services import Services, Work
from server.infra.store import Store
from server.models import Base

R = TypeVar("R", bound=Base)
Values = dict[str, object]  # values of a row by column name
Json = dict[str, object]
Place = tuple[str, Lane]  # an engine and its lane
Audience = Literal["shopper", "site", "merchant"]


class Row(Protocol):
    """The columns that every row in the registry has; what only some have goes through `Kind`."""

    id: str
    version: int
    merchant_id: str
    site_id: str


class RowWithJob(Row, Protocol):
    """A row that has or had a job."""

    status: StrEnum
    queued_at: datetime


@dataclass(slots=True)
class Change:
    """What an event changes: new column values, and keys of objects to delete. `goes_on`: the row's
    next job must be enqueued."""

    values: Values = field(default_factory=dict)
    doomed: list[str] = field(default_factory=list)
    goes_on: bool = False

    def add(self, later: Change) -> None:
        self.values |= later.values
        self.doomed += later.doomed
        self.goes_on = self.goes_on or later.goes_on


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs(Generic[R]):
    """Descriptor of a noun whose rows are worked on by another process, through queue jobs.

    unfinished: the statuses in which a row must have a job, and which time out.
    change: how an event changes a row. Raises ContractError for one that breaks the contract.
    columns: what `places` reads of a row besides its id, version, status and merchant.
    places: queues of its job: first where it belongs, then where an older one may still be.
    ids: the ids that its job may have in RQ.
    remake: the job for an unfinished row that has none; None if it cannot have one any more.
    enqueue: enqueues its next job after a change that `goes_on`.
    end: the timeout: ends an overdue row.
    has_place: whether its page shows a queue position, which changes when other jobs move.
    """

    subject: Subject
    unfinished: tuple[StrEnum, ...]
    change: Callable[[R, Event, datetime], Change]
    columns: tuple[InstrumentedAttribute[Any], ...] = ()
    places: Callable[[R], Sequence[Place]]
    ids: Callable[[str], frozenset[str]] = lambda row_id: frozenset({row_id})
    remake: Callable[[Work, R], Job | None]
    enqueue: Callable[[Services, R], object] | None = None
    end: Callable[[Work, R], None]
    has_place: bool = False


@dataclass(frozen=True, slots=True)
class Lifetime(Generic[R]):
    """Descriptor of a noun whose rows expire. `is_over`: condition for expired rows; `delete`:
    deletes one, as its owner would."""

    is_over: Callable[[datetime], ColumnElement[bool]]
    delete: Callable[[Work, R], None]


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Renderers of a noun's HTML fragments, pushed to the open pages of one kind of caller.

    changed: the fragment after a row changed.
    listed: the fragment of each row after a (re)connect; None: the same as `changed`.
    together: one fragment for all rows after a (re)connect; it may return None for none.
    """

    changed: Callable[[Session, R, Store], str]
    listed: Callable[[Session, R, Store], str] | None = None
    together: Callable[[Session, Sequence[R], Store], str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Live(Generic[R]):
    """Descriptor of a noun whose changes are pushed over live sockets.

    audiences: which channels receive it. A model with `hers_alone` sends a shopper's rows to her
        alone, whatever stands here.
    events: the present state as (type, body), for JSON sockets; empty if the reader may not see it.
    prefix: put before each event type, such as `garment.`.
    pages: the HTML renderers by kind of caller.
    told_for: how old rows may be that are sent after a (re)connect; None: any age.
    """

    audiences: frozenset[Audience]
    events: Callable[[R, Store, CallerKind], list[tuple[str, Json]]]
    prefix: str = ""
    pages: Mapping[CallerKind, Page[R]] = field(default_factory=dict)
    told_for: timedelta | None = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[R]):
    """Descriptor of one noun.

    prefix: of its ids (`pho`).
    keys: every object that the store may hold for an id, to be deleted with it.
    files: the keys of a row's objects that a caller may download; raises `Problem` as `get` does.
    """

    prefix: str
    model: type[R]
    keys: Callable[[str], list[str]] = lambda _row_id: []
    files: Callable[[Services, Caller, str], Iterable[str | None]] | None = None
    jobs: Jobs[R] | None = None
    lifetime: Lifetime[R] | None = None
    live: Live[R] | None = None


# Each entry is typed by its own model; readers of the table know no model.
AnyKind: TypeAlias = Kind[Any]
AnyJobs: TypeAlias = Jobs[Any]
AnyLive: TypeAlias = Live[Any]
AnyPage: TypeAlias = Page[Any]


class Kinds:
    """The table, ordered: state after a (re)connect is sent in this order."""

    def __init__(self, *kinds: AnyKind):
        self._by_prefix: dict[str, AnyKind] = {}
        self.add(*kinds)

    def __iter__(self) -> Iterator[AnyKind]:
        return iter(tuple(self._by_prefix.values()))

    def add(self, *kinds: AnyKind) -> None:
        """Raises ValueError if another noun has the prefix already."""
        for kind in kinds:
            if self._by_prefix.setdefault(kind.prefix, kind) is not kind:
                raise ValueError(f"two nouns have ids in {kind.prefix}_")

    def of_id(self, row_id: str) -> AnyKind | None:
        """The noun of an id, by its prefix; None for an unknown one."""
        return self._by_prefix.get(row_id.partition("_")[0])

    def of_row(self, row: object) -> AnyKind:
        """The noun of a row. Raises LookupError if its model has no entry."""
        for kind in self:
            if kind.model is type(row):
                return kind
        raise LookupError(f"{type(row).__name__} has no entry in the registry")

    def with_jobs(self) -> list[tuple[AnyKind, AnyJobs]]:
        """Nouns with jobs, last entry first: try-ons, photos, garments. Shoppers who wait must not
        be held up by a merchant's thousands of garments."""
        return [(kind, kind.jobs) for kind in reversed(list(self)) if kind.jobs is not None]

    def of_subject(self, subject: Subject) -> tuple[AnyKind, AnyJobs]:
        """The noun of a contract's subject. Raises LookupError if there is none."""
        for kind, jobs in self.with_jobs():
            if jobs.subject is subject:
                return kind, jobs
        raise LookupError(f"{subject.value} has no entry in the registry")

    def heard_by(self, audience: str) -> list[tuple[AnyKind, AnyLive]]:
        """The nouns whose changes this audience receives."""
        lives = ((kind, kind.live) for kind in self if kind.live is not None)
        return [(kind, live) for kind, live in lives if audience in live.audiences]


KINDS = Kinds()

"""The registry of nouns: what a row of each is to those who know no noun. Its table is empty here.

`server/nouns` fills it, a file for each. The steward, the live socket and files by key read it, so
that a new noun is an entry. What a noun does not have (a job, a lifetime, pages, files) is None.
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
Values = dict[str, object]  # of a row, by column
Json = dict[str, object]
Place = tuple[str, Lane]  # an engine and its lane
Audience = Literal["shopper", "site", "merchant"]


class Row(Protocol):
    """What every row of the registry has; what only some have is asked of their `Kind`."""

    id: str
    version: int
    merchant_id: str
    site_id: str


class RowWithJob(Row, Protocol):
    """One that has a job now or had one."""

    status: StrEnum
    queued_at: datetime


@dataclass(slots=True)
class Change:
    """New column values of a row, and keys of objects that nobody may read any more. `goes_on`: its
    next job is due."""

    values: Values = field(default_factory=dict)
    doomed: list[str] = field(default_factory=list)
    goes_on: bool = False

    def add(self, later: Change) -> None:
        self.values |= later.values
        self.doomed += later.doomed
        self.goes_on = self.goes_on or later.goes_on


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs(Generic[R]):
    """A noun whose rows wait for the work of another process.

    unfinished: the statuses in which a row must have a job, and which time out.
    change: what an event makes of a row. Raises ContractError for one that makes no sense.
    columns: what `places` reads of a row beside its id, version, status and merchant.
    places: where its job stands; the first is where it belongs, others where it may still be.
    ids: under which of these ids its job is known.
    remake: the job that a row without one must have; None where it can have none any more.
    enqueue: puts its next job in line, after a change that `goes_on`.
    end: what becomes of one that is overdue.
    has_place: whether its page shows a place in line, which others' moves change.
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
    """A noun that is kept for a time. `is_over`: of which rows; `delete`: deletes one as its owner
    would."""

    is_over: Callable[[datetime], ColumnElement[bool]]
    delete: Callable[[Work, R], None]


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """A noun in HTML, as fragments that are pushed to one kind of caller's open pages.

    changed: when a row changed. listed: for each row after a (re)connect, where that is another.
    together: then once for all of them; None where there is nothing to add.
    """

    changed: Callable[[Session, R, Store], str]
    listed: Callable[[Session, R, Store], str] | None = None
    together: Callable[[Session, Sequence[R], Store], str | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Live(Generic[R]):
    """A noun that live sockets are told of.

    audiences: who may hear of it; a shopper's own, where nobody but she, stays with her.
    events: its present state as (type, body), nothing where it is no concern of the reader.
    prefix: what stands before each type.
    pages: its fragments, by the kind of caller.
    told_for: how old a row may be that a (re)connect tells; None: of any age.
    """

    audiences: frozenset[Audience]
    events: Callable[[R, Store, CallerKind], list[tuple[str, Json]]]
    prefix: str = ""
    pages: Mapping[CallerKind, Page[R]] = field(default_factory=dict)
    told_for: timedelta | None = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[R]):
    """One noun. `prefix`: of its ids; `keys`: every object that may lie in the store for an id;
    `files`: those of a row that a caller may download, and raises `Problem` like any reading."""

    prefix: str
    model: type[R]
    keys: Callable[[str], list[str]] = lambda _row_id: []
    files: Callable[[Services, Caller, str], Iterable[str | None]] | None = None
    jobs: Jobs[R] | None = None
    lifetime: Lifetime[R] | None = None
    live: Live[R] | None = None


# Each entry knows its own model; who reads the table knows none.
AnyKind: TypeAlias = Kind[Any]
AnyJobs: TypeAlias = Jobs[Any]
AnyLive: TypeAlias = Live[Any]
AnyPage: TypeAlias = Page[Any]


class Kinds:
    """The table. Its order is that in which rows are told."""

    def __init__(self, *kinds: AnyKind):
        self._by_prefix: dict[str, AnyKind] = {}
        self.add(*kinds)

    def __iter__(self) -> Iterator[AnyKind]:
        return iter(tuple(self._by_prefix.values()))

    def add(self, *kinds: AnyKind) -> None:
        """Raises ValueError where an id's prefix is another noun's already."""
        for kind in kinds:
            if self._by_prefix.setdefault(kind.prefix, kind) is not kind:
                raise ValueError(f"two nouns have ids in {kind.prefix}_")

    def of_id(self, row_id: str) -> AnyKind | None:
        return self._by_prefix.get(row_id.partition("_")[0])

    def of_row(self, row: object) -> AnyKind:
        """Raises LookupError for a row of no noun."""
        for kind in self:
            if kind.model is type(row):
                return kind
        raise LookupError(f"{type(row).__name__} has no entry in the registry")

    def with_jobs(self) -> list[tuple[AnyKind, AnyJobs]]:
        """Try-ons before photos and garments, the last entry first: whoever waits before a screen
        comes before a shop's garments, however many those are."""
        return [(kind, kind.jobs) for kind in reversed(list(self)) if kind.jobs is not None]

    def of_subject(self, subject: Subject) -> tuple[AnyKind, AnyJobs]:
        """Raises LookupError where no noun has it."""
        for kind, jobs in self.with_jobs():
            if jobs.subject is subject:
                return kind, jobs
        raise LookupError(f"{subject.value} has no entry in the registry")

    def heard_by(self, audience: str) -> list[tuple[AnyKind, AnyLive]]:
        lives = ((kind, kind.live) for kind in self if kind.live is not None)
        return [(kind, live) for kind, live in lives if audience in live.audiences]


KINDS = Kinds()

"""What is said of a row: HTML fragments to a shopper's or merchant's page, JSON events to others.

Knows the registry of nouns and no noun; no socket and no Redis. The row is all there is: an event's
type is the row's present status.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator

from sqlalchemy.orm import Session

from server.domain.audiences import is_gone
from server.infra.kinds import KINDS, AnyPage, Json, Row
from server.infra.store import Store
from server.models import now
from server.rendering import dashboard_fragments, fragments
from server.web.live.hub import Messages, Voice

TOGETHER = "together"  # beside row ids, and the id of no noun: what is said once of many rows
PAGE_OF_MERCHANT = Voice("html", "user")


class Speaker:
    """Renders; needs the store only to sign addresses."""

    def __init__(self, store: Store):
        self._store = store

    def say(self, session: Session, row: Row, voice: Voice) -> Messages:
        """What a row's present state sounds like in this voice; nothing where it is no concern
        of the listener."""
        if is_gone(row) and voice != PAGE_OF_MERCHANT:  # a merchant's lists keep tombstones
            return self.gone(row.id, row.version, voice)
        if voice.format == "json":
            return self._events(row, voice)
        page = _page_of(row, voice)
        return [page.changed(session, row, self._store)] if page else []

    def gone(self, row_id: str, version: int, voice: Voice) -> Messages:
        """A deleted row: its id and nothing else."""
        kind = KINDS.of_id(row_id)
        if kind is None or kind.live is None:
            return []
        if voice.format == "json":
            return [_event(f"{kind.live.prefix}deleted", row_id, version, {})]
        page = fragments if voice.kind == "shopper" else dashboard_fragments
        return [page.gone(row_id, version)]

    def state(
        self, session: Session, rows: Iterable[Row], voice: Voice
    ) -> Iterator[tuple[str, int, Messages]]:
        """(id, version, messages) of each row, and then of what a page is told of them together."""
        told: defaultdict[str, list[Row]] = defaultdict(list)
        for row in rows:
            page = _page_of(row, voice)
            if page is None or page.listed is None:
                yield row.id, row.version, self.say(session, row, voice)
            else:
                yield row.id, row.version, [page.listed(session, row, self._store)]
            told[KINDS.of_row(row).prefix].append(row)
        for prefix, some in told.items():
            page = _page_of(some[0], voice)
            said = page.together(session, some, self._store) if page and page.together else None
            if said is not None:
                yield f"{TOGETHER}:{prefix}", round(now().timestamp() * 1000), [said]

    def _events(self, row: Row, voice: Voice) -> Messages:
        live = KINDS.of_row(row).live
        if live is None:
            return []
        events = live.events(row, self._store, voice.kind)
        return [_event(f"{live.prefix}{word}", row.id, row.version, body) for word, body in events]


def _page_of(row: Row, voice: Voice) -> AnyPage | None:
    live = KINDS.of_row(row).live
    return live.pages.get(voice.kind) if live is not None and voice.format == "html" else None


def _event(kind: str, row_id: str, version: int, body: Json) -> str:
    return json.dumps({"type": kind, "id": row_id, "version": version, **body})

"""Renders rows as live messages: HTML fragments for pages, JSON events for everyone else.

Reads the registry of nouns; must not know a noun, sockets or Redis. There is no history of events:
a message shows the row's present state, and a JSON event's type is its present status.
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

# Key, in place of a row's id, of a message about many rows; no id of a noun begins like this.
TOGETHER = "together"
PAGE_OF_MERCHANT = Voice("html", "user")


class Speaker:
    """Renders messages. Stateless; needs the store only to presign URLs."""

    def __init__(self, store: Store):
        self._store = store

    def say(self, session: Session, row: Row, voice: Voice) -> Messages:
        """The messages for a row's present state in this voice; none if the caller may see none."""
        if is_gone(row) and voice != PAGE_OF_MERCHANT:  # a merchant's lists keep tombstones
            return self.gone(row.id, row.version, voice)
        if voice.format == "json":
            return self._events(row, voice)
        page = _page_of(row, voice)
        return [page.changed(session, row, self._store)] if page else []

    def gone(self, row_id: str, version: int, voice: Voice) -> Messages:
        """The message that a row was deleted; it holds the id and nothing else."""
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
        """The messages after a (re)connect, as (id, version, messages): for each row, then one for
        the rows of each noun together (`Page.together`)."""
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

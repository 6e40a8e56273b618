"""What is said of a row: HTML fragments to a shopper's or merchant's page, JSON events to others.

Knows rows and the modules that render them; no socket and no Redis. The row is all there is: an
event's type is the row's present status.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from sqlalchemy.orm import Session

from gpu_worker.contract import TryOnStatus
from server.infra.caller import CallerKind, sees_picture
from server.infra.store import Store
from server.models import Garment, Photo, TryOn, now
from server.rendering import dashboard_fragments, fragments
from server.rendering.json import Json, garment, photo, try_on
from server.web.live.hub import Messages, Voice
from server.web.live.rows import Row, is_gone

HISTORY = "history"  # beside row ids: a shopper's finished pictures together
PAGE_OF_SHOPPER = Voice("html", "shopper")
PAGE_OF_MERCHANT = Voice("html", "user")
_DELETED = {"try": "deleted", "pho": "photo.deleted", "gar": "garment.deleted"}


class Speaker:
    """Renders; needs the store only to sign addresses."""

    def __init__(self, store: Store):
        self._store = store

    def say(self, session: Session, row: Row, voice: Voice) -> Messages:
        """What a row's present state sounds like in this voice; nothing where it is no concern
        of the listener."""
        if voice == PAGE_OF_MERCHANT:
            return self._to_merchant(session, row)
        if is_gone(row):
            return self.gone(row.id, row.version, voice)
        if voice.format == "json":
            return self._events(row, voice.kind)
        return [] if isinstance(row, Garment) else [fragments.changed(session, row, self._store)]

    def gone(self, row_id: str, version: int, voice: Voice) -> Messages:
        """A deleted row: its id and nothing else."""
        if voice.format == "json":
            return [_event(_DELETED[row_id.partition("_")[0]], row_id, version, {})]
        page = fragments if voice.kind == "shopper" else dashboard_fragments
        return [page.gone(row_id, version)]

    def state(
        self, session: Session, rows: Iterable[Row], voice: Voice
    ) -> Iterator[tuple[str, int, Messages]]:
        """(id, version, messages) of each row; a shopper's finished pictures bring their history
        once and not each."""
        shopper_id: str | None = None
        for row in rows:
            if voice == PAGE_OF_SHOPPER and isinstance(row, TryOn) and row.status.is_final:
                shopper_id = row.shopper_id
                scene = fragments.scene_of(session, row)
                card = fragments.try_on_card(scene, self._store, oob=True)
                yield row.id, row.version, [card]
            else:
                yield row.id, row.version, self.say(session, row, voice)
        if shopper_id is not None:
            scenes = fragments.scenes_of(session, shopper_id)
            history = fragments.history(scenes, self._store, oob=True)
            yield HISTORY, round(now().timestamp() * 1000), [history]

    def _to_merchant(self, session: Session, row: Row) -> Messages:
        """Her list keeps a try-on whose picture was deleted, and shows no shopper's photo."""
        if isinstance(row, TryOn):
            return [dashboard_fragments.try_on(session, self._store, row)]
        if isinstance(row, Garment):
            return [dashboard_fragments.garment(self._store, row)]
        return []

    def _events(self, row: Row, reader: CallerKind) -> Messages:
        if isinstance(row, Photo):
            if not sees_picture(reader, row):
                return []
            body = photo.to_dict(row, reader=reader)
            return [_event(f"photo.{row.status.value}", row.id, row.version, body)]
        if isinstance(row, Garment):
            body = garment.to_dict(row, self._store, reader=reader)
            return [_event(f"garment.{row.status.value}", row.id, row.version, body)]
        body = try_on.to_dict(row, self._store, reader=reader)
        body |= try_on.error_of(row, reader) or {}
        said = [_event(row.status.value, row.id, row.version, body)]
        if row.status is TryOnStatus.RUNNING and row.preview_key and sees_picture(reader, row):
            url = self._store.presign_get(row.preview_key)
            said.append(_event("preview", row.id, row.version, {"url": url}))
        return said


def _event(kind: str, row_id: str, version: int, body: Json) -> str:
    return json.dumps({"type": kind, "id": row_id, "version": version, **body})

"""The registry's entry for try-ons: they have queue positions, and leave tombstones."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from gpu_worker.contract import Subject, TryOnStatus
from server.domain import try_ons
from server.domain.try_ons import lifecycle, settle
from server.infra.caller import Caller, CallerKind, sees_picture
from server.infra.kinds import Jobs, Json, Kind, Lifetime, Live, Page
from server.infra.services import Services
from server.infra.store import Store, try_on_keys
from server.models import TryOn
from server.rendering import dashboard_fragments, fragments
from server.rendering.json import try_on as as_json


def _files(services: Services, caller: Caller, try_on_id: str) -> list[str | None]:
    row = try_ons.get(services, caller, try_on_id)
    return [row.result_key] if sees_picture(caller.kind, row) else []


def _events(row: TryOn, store: Store, reader: CallerKind) -> list[tuple[str, Json]]:
    body = as_json.to_dict(row, store, reader=reader) | (as_json.error_of(row, reader) or {})
    events = [(row.status.value, body)]
    if row.status is TryOnStatus.RUNNING and row.partial_key and sees_picture(reader, row):
        events.append(("partial", {"url": store.presign_get(row.partial_key)}))
    return events


def _in_widget(session: Session, row: TryOn, store: Store) -> str:
    return fragments.changed(session, row, store)


def _in_widget_again(session: Session, row: TryOn, store: Store) -> str:
    """The fragment after a (re)connect; `_history` then adds the strip of pictures once for all."""
    if not row.status.is_final:
        return _in_widget(session, row, store)
    return fragments.try_on_card(fragments.scene_of(session, row), store, oob=True)


def _history(session: Session, rows: Sequence[TryOn], store: Store) -> str | None:
    shoppers = [row.shopper_id for row in rows if row.status.is_final and row.shopper_id]
    if not shoppers:
        return None
    return fragments.history(fragments.scenes_of(session, shoppers[0]), store, oob=True)


def _on_dashboard(session: Session, row: TryOn, store: Store) -> str:
    """A merchant's list shows deleted try-ons, too."""
    return dashboard_fragments.try_on(session, store, row)


KIND = Kind(
    prefix="try",
    model=TryOn,
    keys=try_on_keys,
    files=_files,
    jobs=Jobs(
        subject=Subject.TRY_ON,
        unfinished=lifecycle.UNFINISHED,
        change=settle.change,
        columns=(TryOn.engine, TryOn.lane),
        places=lambda row: ((row.engine, row.lane),),
        remake=try_ons.put_back,
        end=try_ons.end_overdue,
        has_place=True,
    ),
    lifetime=Lifetime(
        lambda now: (TryOn.expires_at <= now) & TryOn.deleted_at.is_(None),
        try_ons.delete_with_objects,
    ),
    live=Live(
        audiences=frozenset({"shopper", "site", "merchant"}),
        events=_events,
        pages={
            "shopper": Page(_in_widget, listed=_in_widget_again, together=_history),
            "user": Page(_on_dashboard),
        },
    ),
)

"""Notes of a site: written, read, deleted."""

from __future__ import annotations

from server.infra import nudges, paging
from server.infra.caller import Caller, get_owned, require_site
from server.infra.errors import Code
from server.infra.paging import Page
from server.infra.services import Services
from server.models import Note


def create(services: Services, caller: Caller, *, text: str) -> Note:
    note = Note(merchant_id=caller.merchant_id, site_id=require_site(caller), text=text)
    with services.work() as work:
        work.session.add(note)
        work.session.flush()
        work.announce(nudges.of(note))
    return note


def listing(
    services: Services, caller: Caller, *, cursor: str | None = None, limit: int = 20
) -> Page[Note]:
    return paging.listed(services, caller, Note, cursor, limit)


def remove(services: Services, caller: Caller, note_id: str) -> None:
    with services.work() as work:
        note = get_owned(work.session, Note, caller, note_id, missing=Code.NOT_FOUND, lock=True)
        work.announce(nudges.gone(note))
        work.session.delete(note)

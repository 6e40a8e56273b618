"""/v1/notes: what the merchant's people wrote down about their site."""

from __future__ import annotations

from apiflask import APIBlueprint

from server.auth.limits import limited_strictly
from server.domain import notes
from server.infra.caller import Caller
from server.infra.services import current_services
from server.rendering.json import Json
from server.rendering.json import note as as_json
from server.web.api.rules import Rule, add
from server.web.api.schemas import NoteIn, NoteOut, NotesOut, PageQuery

blueprint = APIBlueprint("notes", __name__, url_prefix="/v1", tag="Notes")


def list_notes(caller: Caller, query_data: PageQuery) -> Json:
    """List the site's notes, newest first."""
    page = notes.listing(current_services(), caller, **query_data.model_dump())
    return {"notes": [as_json.to_dict(row) for row in page.rows], "next_cursor": page.next_cursor}


def create_note(caller: Caller, json_data: NoteIn) -> Json:
    """Write a note."""
    return as_json.to_dict(notes.create(current_services(), caller, **json_data.model_dump()))


def delete_note(caller: Caller, note_id: str) -> str:
    """Delete a note."""
    notes.remove(current_services(), caller, note_id)
    return ""


RULES = (
    Rule("GET /notes", list_notes, ("secret",), query=PageQuery, gives=NotesOut),
    Rule(
        "POST /notes", create_note, ("secret",), limited_strictly,
        takes=NoteIn, gives=NoteOut, status=201,
    ),
    Rule("DELETE /notes/<note_id>", delete_note, ("secret",), status=204),
)  # fmt: skip
add(blueprint, RULES)

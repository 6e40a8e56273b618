"""A note: the site's, told to its backend and its people."""

from __future__ import annotations

from server.infra.kinds import Kind, Live
from server.models import Note
from server.rendering.json import note as as_json

KIND = Kind(
    prefix="nte",
    model=Note,
    live=Live(
        audiences=frozenset({"site", "merchant"}),
        prefix="note.",
        events=lambda note, _store, _reader: [("written", as_json.to_dict(note))],
    ),
)

"""The embed among the server's other doors: a public file that anybody may keep."""

from __future__ import annotations

from tests.server.actors import World


def test_the_embed_varies_by_nothing_but_its_compression(world: World) -> None:
    answer = world.anybody().get("/embed/v1/proteus.js", Accept_Encoding="gzip")
    assert answer.status_code == 200
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.headers["Cache-Control"].startswith("public, ")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers

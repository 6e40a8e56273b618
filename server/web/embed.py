"""Static files of the embed, the script that a shop's page loads: the current and frozen releases.

For every origin, compressed once. Must not know sites and callers.
"""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

from flask import Blueprint, Flask, Response, request
from werkzeug.security import safe_join

from server.auth import allow
from server.config import Settings
from server.infra.errors import Code, Problem

EMBED = Path(__file__).parents[2] / "embed"
# The current file may change: browsers revalidate after five minutes, and mostly get a 304.
TODAY = "public, max-age=300, stale-while-revalidate=86400"
FROZEN = "public, max-age=31536000, immutable"

blueprint = Blueprint("embed_files", __name__, url_prefix="/embed")


def register(app: Flask, _settings: Settings) -> None:
    app.register_blueprint(blueprint)


@allow("anyone", limited=False)
def today() -> Response:
    """The script as it is now, released or not, which the dashboard's snippet loads."""
    return _script(EMBED / "proteus.js", TODAY)


@allow("anyone", limited=False)
def frozen(version: str) -> Response:
    """An immutable release, for pages that pin it by `integrity` (SRI)."""
    path = safe_join(str(EMBED / "releases"), version, "proteus.js")
    if path is None or not Path(path).is_file():
        raise Problem(Code.FILE_NOT_FOUND)
    return _script(Path(path), FROZEN)


def _script(path: Path, cache_control: str) -> Response:
    plain, packed = _bytes(path, path.stat().st_mtime_ns)
    zips = request.accept_encodings["gzip"] > 0
    response = Response(packed if zips else plain, mimetype="text/javascript")
    if zips:
        response.content_encoding = "gzip"
    response.vary.add("Accept-Encoding")
    response.headers["Cache-Control"] = cache_control
    response.headers["Access-Control-Allow-Origin"] = "*"  # `integrity` needs it
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.add_etag()
    response.make_conditional(request)
    return response


@cache
def _bytes(path: Path, _changed_ns: int) -> tuple[bytes, bytes]:
    """The file, plain and gzipped. Cached by modification time, so it is read again on a change."""
    plain = path.read_bytes()
    return plain, gzip.compress(plain, compresslevel=9, mtime=0)


for rule, view in (("/v1/proteus.js", today), ("/releases/<version>/proteus.js", frozen)):
    blueprint.add_url_rule(rule, view_func=view)

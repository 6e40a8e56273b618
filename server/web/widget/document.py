"""The widget's document, its static files and theme, and pages of every state with sample rows."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from flask import Response, request, send_from_directory

from gpu_worker.contract import GarmentStatus, Reason
from server.auth import allow
from server.domain.uploads import CONTENT_TYPES
from server.infra.caller import Caller
from server.infra.errors import Code, Problem
from server.infra.services import current_services
from server.models import Site
from server.rendering import accent, fragments, widget_states
from server.rendering.fragments import CONSENT_VERSION
from server.rendering.widget_states import STATES, SampleLinks, State
from server.rendering.words.widget import PageCode
from server.web.widget.csp import ancestors, guard
from server.web.widget.scope import site_of, wearable

STATIC = Path(__file__).parents[3] / "widget" / "static"
DIRECTIONS = ("ltr", "rtl")
THEMES = ("light", "dark")
ENTRY = "main.js"  # the modules that it imports are preloaded, so that they load in parallel
MODULES = sorted(path.name for path in STATIC.glob("*.js") if path.name != ENTRY)
# Problems that the page itself detects and must show without the server, with the retry action.
PAGE_PROBLEMS: dict[str, str | None] = {
    **dict.fromkeys((PageCode.UPLOAD_FAILED, PageCode.UPLOAD_EXPIRED), "send-again"),
    **dict.fromkeys(
        (PageCode.UNREADABLE_PHOTO, PageCode.CAMERA_REFUSED, PageCode.CAMERA_MISSING), "photo"
    ),
    **{
        reason.value: "photo"
        for reason in (
            Reason.EMPTY_FILE,
            Reason.FILE_TOO_LARGE,
            Reason.UNSUPPORTED_FORMAT,
            Reason.IMAGE_TOO_SMALL,
            Reason.TYPE_MISMATCH,
            Reason.UPLOAD_MISSING,
        )
    },
    **dict.fromkeys((Code.UNAVAILABLE, Code.INTERNAL, Code.RATE_LIMITED, Code.GONE), "start"),
    PageCode.SESSION_ENDED: "restart",
}
HTMX_CONFIG = json.dumps(
    {
        "includeIndicatorStyles": False,  # an inline style, which the policy refuses
        "allowEval": False,
        "allowScriptTags": False,
        "historyEnabled": False,
        "historyCacheSize": 0,
        "selfRequestsOnly": True,
        "scrollIntoViewOnBoost": False,
        "defaultFocusScroll": False,
        "timeout": 20_000,
        "responseHandling": [
            {"code": "204", "swap": False},
            {"code": "[23]..", "swap": True},
            {"code": "[45]..", "swap": True, "error": True},
        ],
    }
)


@allow("anyone")
def document(pk: str) -> Response:
    """The widget's page. Query `garment`: a SKU of this site."""
    services = current_services()
    try:
        site, mode = site_of(services, pk)
    except Problem as problem:
        return Response(fragments.render("closed.html"), problem.status, problem.headers)
    caller = Caller(kind="embed", merchant_id=site.merchant_id, site_id=site.id, mode=mode)
    garment = wearable(services, caller, request.args.get("garment", ""))
    if garment is None:
        card, thumb = fragments.problem("garment_missing"), None
    else:
        card = fragments.start(site.name, services.settings.photo_ttl_s)
        is_ready = garment.status is GarmentStatus.READY
        thumb = services.store.presign_get(garment.cutout_key) if is_ready else None
    html = _page(pk, site, card=card, garment=garment, cutout_url=thumb)
    return guard(services, site, Response(html))


@allow("anyone", limited=False)
def theme(pk: str) -> Response:
    """Style sheet with the site's accent colours for light and dark."""
    site, _ = site_of(current_services(), pk)
    response = Response(accent.stylesheet(site.accent), mimetype="text/css")
    response.cache_control.max_age = 60
    response.add_etag()
    response.make_conditional(request)
    return response


@allow("anyone", limited=False)
def static_file(path: str) -> Response:
    """The widget's static files: immutable for a year below their common digest, else uncached."""
    head, _, rest = path.partition("/")
    known = head == _DIGEST
    response = send_from_directory(
        STATIC, rest if known else path, max_age=31_536_000 if known else 0
    )
    if known:
        response.cache_control.immutable = True
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"  # tokens.css, in the shop
    return response


@allow("anyone")
def sample(pk: str, state: str) -> Response:
    """A page of one state of the widget with sample rows, for design and tests; test keys only."""
    services = current_services()
    site, mode = site_of(services, pk)
    if mode != "test" or state not in STATES:
        raise Problem(Code.NOT_FOUND)
    html = _sample_page(pk, site, STATES[state])
    return guard(services, site, Response(html))


def _sample_page(pk: str, site: Site, shown: State) -> str:
    links = SampleLinks(_assets())
    return _page(
        pk,
        site,
        card=shown.card(links),
        garment=widget_states.garment(shown.title),
        cutout_url=links.presign_get("cutout.png"),
        pictures=widget_states.strip(shown.pictures, links),
        sample=shown.over,
        dir=_one_of(DIRECTIONS, request.args.get("dir")) or "ltr",
        theme=_one_of(THEMES, request.args.get("theme")),
    )


def _page(pk: str, site: Site, **shown: object) -> str:
    values: dict[str, object] = {
        "key": pk,
        "lang": "en",
        "dir": "ltr",
        "theme": None,
        "sample": None,
        "pictures": fragments.history([], SampleLinks("")),
        "assets": _assets(),
        "modules": MODULES,
        "origins": ancestors(site),
        "consent_version": CONSENT_VERSION,
        "htmx_config": HTMX_CONFIG,
        "page_problems": PAGE_PROBLEMS,
        "limits": _limits(),
    }
    return fragments.render("document.html", **values | shown)


def _limits() -> dict[str, int | str]:
    """Limits for photo.js, which refuses or shrinks a photo before it is uploaded."""
    settings = current_services().settings
    return {
        "max_bytes": settings.max_upload_bytes,
        "max_side_px": settings.max_photo_side_px,
        "min_side_px": settings.min_photo_side_px,
        "types": " ".join(CONTENT_TYPES),
    }


def _assets() -> str:
    return f"/w/static/{_DIGEST}/"


def _digest() -> str:
    """Digest of all static files of the widget, for cache busting."""
    found = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            found.update(path.relative_to(STATIC).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]


def _one_of(allowed: tuple[str, ...], value: str | None) -> str | None:
    return value if value in allowed else None


_DIGEST = _digest()

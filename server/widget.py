"""The widget's door: one document, its policy, its style sheets, and the fragments below it.

Pages and fragments only; the acts decide, `fragments` renders. Never calls the JSON API.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, request, send_from_directory

from gpu_worker.contract import GarmentStatus, PhotoStatus, Reason
from server import (
    accent,
    auth,
    fragments,
    garments,
    photos,
    shoppers,
    sites,
    try_ons,
    widget_states,
)
from server.auth import allow
from server.caller import Caller
from server.config import Settings
from server.errors import Problem
from server.fragments import CONSENT_VERSION, PROBLEMS
from server.limits import limited_more
from server.models import Garment, Photo, Site, TryOn
from server.services import Services, current_services
from server.widget_states import STATES, SampleLinks, State

STATIC = Path(__file__).parents[1] / "widget" / "static"
DIRECTIONS = ("ltr", "rtl")
THEMES = ("light", "dark")
MODULES = ("host.js", "messages.js", "session.js", "live.js", "stage.js", "photo.js", "camera.js",
           "upload.js", "compare.js", "people.js")  # fmt: skip
# What the page itself can run into and must be able to say without asking the server.
PAGE_PROBLEMS: dict[str, str | None] = {
    **dict.fromkeys(("upload_failed", "upload_expired", "unreadable_photo"), "photo"),
    **dict.fromkeys(("camera_refused", "camera_missing"), "photo"),
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
    **dict.fromkeys(("unavailable", "internal", "rate_limited", "gone"), "start"),
    "session_ended": "restart",
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

blueprint = Blueprint("widget", __name__, url_prefix="/w")


def register(app: Flask, _settings: Settings) -> None:
    """Adds the widget below /w to the app."""
    app.register_blueprint(blueprint)


# --- the document --------------------------------------------------------------------------------


@blueprint.get("/<pk>")
@allow("anyone")
def document(pk: str) -> Response:
    """The one page. `garment`: a SKU of this site."""
    services = current_services()
    try:
        site, mode = _site(services, pk)
    except Problem as problem:
        return Response(fragments.render("closed.html"), problem.status)
    caller = Caller(kind="embed", merchant_id=site.merchant_id, site_id=site.id, mode=mode)
    garment = _garment_or_none(services, caller, request.args.get("garment", ""))
    if garment is None or garment.status is GarmentStatus.REJECTED:
        card, thumb = fragments.problem("garment_missing"), None
    else:
        # One that is still being cleaned will be ready before her photo is.
        card = fragments.start(site.name, services.settings.photo_ttl_s)
        is_ready = garment.status is GarmentStatus.READY
        thumb = services.store.presign_get(garment.cutout_key) if is_ready else None
    html = _page(pk, site, card=card, garment=garment, cutout_url=thumb)
    return _with_policy(services, site, Response(html))


@blueprint.get("/<pk>/theme.css")
@allow("anyone", limited=False)
def theme(pk: str) -> Response:
    """The merchant's accent, readable in light and dark."""
    site, _ = _site(current_services(), pk)
    response = Response(accent.stylesheet(site.accent), mimetype="text/css")
    response.cache_control.max_age = 60
    response.add_etag()
    response.make_conditional(request)
    return response


@blueprint.get("/static/<path:path>")
@allow("anyone", limited=False)
def static_file(path: str) -> Response:
    """The widget's own files, under the digest of them all (kept for a year) or plainly."""
    head, _, rest = path.partition("/")
    known = head == _DIGEST
    response = send_from_directory(
        STATIC, rest if known else path, max_age=31_536_000 if known else 0
    )
    if known:
        response.cache_control.immutable = True
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"  # tokens.css, in the shop
    return response


@blueprint.get("/<pk>/states/<state>")
@allow("anyone")
def sample(pk: str, state: str) -> Response:
    """Any state of the widget with sample rows, by test key: for looking at it."""
    services = current_services()
    site, mode = _site(services, pk)
    if mode != "test" or state not in STATES:
        raise Problem("not_found")
    html = _sample_page(pk, site, STATES[state])
    return _with_policy(services, site, Response(html))


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


def _page(pk: str, site: Site, **shown: Any) -> str:
    values: dict[str, Any] = {
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
    }
    return fragments.render("document.html", **values | shown)


# --- the policy ----------------------------------------------------------------------------------


def policy(store_origin: str, server_url: str, origins: list[str]) -> str:
    """The document's Content-Security-Policy: nothing but our own files and the store, framed by
    nobody but the site's own pages."""
    socket = server_url.replace("http", "ws", 1)  # older Safari does not count it as 'self'
    return "; ".join(
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            f"img-src 'self' {store_origin}",
            f"connect-src 'self' {socket} {store_origin}",
            "base-uri 'self'",
            "form-action 'none'",
            "frame-ancestors " + (" ".join(origins) or "'none'"),
        ]
    )


def _with_policy(services: Services, site: Site, response: Response) -> Response:
    response.headers["Content-Security-Policy"] = policy(
        _store_origin(services), services.settings.server_url, ancestors(site)
    )
    response.headers["Permissions-Policy"] = "camera=(self), microphone=(), geolocation=()"
    response.headers["Cross-Origin-Opener-Policy"] = "unsafe-none"  # it is always framed
    return response


def ancestors(site: Site) -> list[str]:
    """The site's allowed origins, those that are origins: whatever a row holds, nothing else may
    come into a header."""
    return [origin for origin in site.allowed_origins if _is_origin(origin)]


def _is_origin(value: object) -> bool:
    try:
        return isinstance(value, str) and sites.check_origin(value) == value
    except (Problem, ValueError):
        return False


def _store_origin(services: Services) -> str:
    """Asked of a signed address: a store without its own endpoint setting has its bucket's host."""
    parts = urlsplit(services.store.presign_get("-"))
    return f"{parts.scheme}://{parts.netloc}"


# --- fragments: her photo ------------------------------------------------------------------------


@blueprint.get("/<pk>/start")
@allow("shopper")
def start(pk: str, caller: Caller) -> Response:
    """Where she left off: a picture on its way, her photo, or the first card. `fresh=1` asks for
    the first card in any case, `shown=start` says that the page shows it already."""
    services = current_services()
    site = _own_site(services, pk, caller)
    fresh = request.args.get("fresh") == "1"
    card = None if fresh else _left_off(services, caller, request.args.get("garment", ""))
    if card is not None:
        return _answer(services, caller, card)
    if not fresh and request.args.get("shown") == "start":
        return _answer(services, caller, "", reswap="none")
    agreed = _has_agreed(services, caller)
    card = fragments.start(site.name, services.settings.photo_ttl_s, agreed=agreed)
    return _answer(services, caller, card)


@blueprint.post("/<pk>/photos")
@allow("shopper")
@limited_more
def create_photo(pk: str, caller: Caller) -> Response:
    """An uploaded photo is handed over to be checked; the first that follows her consent."""
    services = current_services()
    _own_site(services, pk, caller)
    if request.form.get("consent_version") != CONSENT_VERSION:
        raise Problem("invalid", "She has to agree to the present words.", param="consent_version")
    key = request.form.get("key", "")
    photo = photos.create(services, caller, key=key, consent_version=CONSENT_VERSION)
    response = Response(fragments.photo_card(photo, services.store))
    auth.set_resume_cookie(response, services, caller)
    return response


@blueprint.post("/<pk>/photos/<photo_id>/person")
@allow("shopper")
@limited_more
def choose_person(pk: str, photo_id: str, caller: Caller) -> Response:
    services = current_services()
    _own_site(services, pk, caller)
    person = request.form.get("person", type=int)
    if person is None or person < 0:
        raise Problem("invalid", param="person")
    photo = photos.choose_person(services, caller, photo_id, person)
    return Response(fragments.photo_card(photo, services.store))


# --- fragments: her pictures ---------------------------------------------------------------------


@blueprint.post("/<pk>/try-ons")
@allow("shopper")
@limited_more
def create_try_on(pk: str, caller: Caller) -> Response:
    services = current_services()
    _own_site(services, pk, caller)
    garment = garments.by_sku(services, caller, request.form.get("garment", ""))
    new = try_ons.NewTryOn(photo_id=request.form.get("photo_id", ""), garment_id=garment.id)
    key = request.headers.get("Idempotency-Key")
    # The page's key names photo and attempt; the garment makes it the key of this wish.
    key = f"{key}-{garment.id}"[:128] if key else None
    row = try_ons.create(services, caller, new, idempotency_key=key)
    return _card(services, row)


@blueprint.get("/<pk>/try-ons/<try_on_id>")
@allow("shopper")
def read_try_on(pk: str, try_on_id: str, caller: Caller) -> Response:
    services = current_services()
    _own_site(services, pk, caller)
    return _card(services, try_ons.get(services, caller, try_on_id))


@blueprint.post("/<pk>/try-ons/<try_on_id>/cancel")
@allow("shopper")
def cancel_try_on(pk: str, try_on_id: str, caller: Caller) -> Response:
    """Takes a picture back that is not there yet; one that came meanwhile is shown."""
    services = current_services()
    _own_site(services, pk, caller)
    try:
        row = try_ons.cancel(services, caller, try_on_id)
    except Problem as problem:
        if problem.code != "try_on_final":
            raise
        row = try_ons.get(services, caller, try_on_id)
    return _card(services, row)


@blueprint.delete("/<pk>/try-ons/<try_on_id>")
@allow("shopper")
def delete_try_on(pk: str, try_on_id: str, caller: Caller) -> Response:
    """One picture; her photo stays for the next one."""
    services = current_services()
    site = _own_site(services, pk, caller)
    try_ons.remove(services, caller, try_on_id)
    photo = _ready_photo(services, caller)
    if photo is not None:
        return _answer(services, caller, fragments.again(photo, services.store))
    return _answer(services, caller, fragments.start(site.name, services.settings.photo_ttl_s))


@blueprint.delete("/<pk>/shopper")
@allow("shopper")
def delete_shopper(pk: str, caller: Caller) -> Response:
    """ "Delete photo and pictures": everything of hers, and that we know her."""
    services = current_services()
    _own_site(services, pk, caller)
    shoppers.erase(services, caller)
    response = Response(fragments.deleted() + fragments.history([], services.store, oob=True))
    auth.clear_resume_cookie(response)
    return response


# --- inside --------------------------------------------------------------------------------------


@blueprint.errorhandler(Problem)
def _problem(problem: Problem) -> Response:
    """A card that says it, for the widget's own requests; htmx shows it like any other."""
    card = fragments.problem(problem.code, retry=_retry(problem))
    response = Response(card, problem.status)
    response.headers.update(problem.headers)
    return response


def _retry(problem: Problem) -> str | None:
    """What the card's one button does."""
    if problem.code in fragments.SESSION_CODES:
        return "restart"
    if problem.code in fragments.GARMENT_CODES:
        return None
    return "start" if problem.code in PROBLEMS or problem.status >= 500 else "photo"


def _site(services: Services, pk: str) -> tuple[Site, str]:
    with services.read() as session:
        return auth.find_site(session, pk)


def _own_site(services: Services, pk: str, caller: Caller) -> Site:
    """The site of the address, if it is the one that her token was made for."""
    site, mode = _site(services, pk)
    if (site.id, mode) != (caller.site_id, caller.mode):
        raise Problem("site_not_found")
    return site


def _garment_or_none(services: Services, caller: Caller, sku: str) -> Garment | None:
    try:
        return garments.by_sku(services, caller, sku)
    except Problem:
        return None


def _left_off(services: Services, caller: Caller, sku: str) -> str | None:
    garment = _garment_or_none(services, caller, sku)
    for row in try_ons.listing(services, caller).rows if garment else ():
        if not row.status.is_final and garment and row.garment_id == garment.id:
            return _try_on_html(services, row)
    recent = photos.recent(services, caller, limit=1)
    if recent and recent[0].status is PhotoStatus.CHECKING:
        return fragments.photo_card(recent[0], services.store)
    photo = _ready_photo(services, caller)
    return fragments.again(photo, services.store) if photo else None


def _ready_photo(services: Services, caller: Caller) -> Photo | None:
    recent = photos.recent(services, caller)
    return next((photo for photo in recent if photo.status is PhotoStatus.READY), None)


def _has_agreed(services: Services, caller: Caller) -> bool:
    shopper = shoppers.get(services, caller.shopper_id or "")
    return shopper is not None and shopper.consent_version == CONSENT_VERSION


def _card(services: Services, row: TryOn) -> Response:
    return Response(_try_on_html(services, row))


def _try_on_html(services: Services, row: TryOn) -> str:
    with services.read() as session:
        return fragments.try_on_card(fragments.scene_of(session, row), services.store)


def _answer(
    services: Services, caller: Caller, card: str, *, reswap: str | None = None
) -> Response:
    """A card with her present strip of pictures beside it."""
    with services.read() as session:
        scenes = fragments.scenes_of(session, caller.shopper_id or "")
        response = Response(card + fragments.history(scenes, services.store, oob=True))
    if reswap is not None:
        response.headers["HX-Reswap"] = reswap
    return response


def _assets() -> str:
    return f"/w/static/{_DIGEST}/"


def _digest() -> str:
    """Names the present state of all files of the widget."""
    found = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            found.update(path.relative_to(STATIC).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]


def _one_of(allowed: tuple[str, ...], value: str | None) -> str | None:
    return value if value in allowed else None


_DIGEST = _digest()

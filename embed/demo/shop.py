"""The demo shop: a small fashion shop with the snippet on its pages, on another origin than the
server.

It plays the retailer: knows its products, its publishable key and the embed's address, but none of
the server's code. Its content-security policy is as strict as a careful retailer's.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from flask import Flask, Response, abort, render_template, request, send_from_directory

HERE = Path(__file__).parent
TOKENS = HERE.parents[1] / "widget" / "static"
DEPARTMENTS = {"upper": "Tops", "lower": "Trousers and skirts", "overall": "Dresses"}
PEOPLE = ("anna", "george", "kenji", "marcus", "priya", "zola")


@dataclass(frozen=True, slots=True)
class Colour:
    name: str
    value: str
    in_stock: bool


@dataclass(frozen=True, slots=True)
class Garment:
    """One product. `closeups`: parts of its picture to show enlarged, as `x y width height`."""

    sku: str
    title: str
    category: str
    image: str
    price: str
    colours: tuple[Colour, ...]
    sizes: tuple[str, ...]
    description: str
    details: tuple[str, ...]
    closeups: tuple[str, ...]

    @classmethod
    def from_json(cls, ware: Mapping[str, Any]) -> Self:
        colours = tuple(Colour(**colour) for colour in ware["colours"])
        lists = {name: tuple(ware[name]) for name in ("sizes", "details", "closeups")}
        return cls(**{**ware, **lists, "colours": colours})


@dataclass(frozen=True, slots=True)
class ShopSettings:
    """The server that the embed is loaded from, and the shop's key."""

    server_url: str
    publishable_key: str = field(repr=False)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Ends the process with one line for each wrong setting, as every part of Proteus does."""
        server_url = (env.get("PROTEUS_SERVER_URL") or "http://localhost:8080").rstrip("/")
        key = env.get("PROTEUS_PUBLISHABLE_KEY") or ""
        wrong = []
        if urlsplit(server_url).scheme not in ("http", "https") or urlsplit(server_url).path:
            wrong.append("PROTEUS_SERVER_URL: must be an http(s):// address without a path")
        if not key.startswith(("pk_live_", "pk_test_")):
            wrong.append("PROTEUS_PUBLISHABLE_KEY: must be a key such as pk_live_…")
        if wrong:
            raise SystemExit("\n".join(wrong))
        return cls(server_url, key)


def create_app(settings: ShopSettings | None = None) -> Flask:
    """The shop as a WSGI application."""
    settings = settings or ShopSettings.from_env(os.environ)
    app = Flask(__name__, root_path=str(HERE))
    garments = load_garments()
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.context_processor(lambda: {"settings": settings, "departments": DEPARTMENTS})
    _add_pages(app, garments)
    _add_files(app)
    _protect(app, settings)
    return app


def load_garments() -> dict[str, Garment]:
    """The products by SKU, in the order of the shop window."""
    wares = json.loads((HERE / "garments.json").read_text())
    return {ware["sku"]: Garment.from_json(ware) for ware in wares}


def _add_pages(app: Flask, garments: Mapping[str, Garment]) -> None:
    @app.get("/")
    def window() -> str:
        wanted = request.args.get("department", "")
        shown = [g for g in garments.values() if wanted in ("", g.category)]
        if not shown:
            abort(404)
        return render_template("window.html", garments=shown, wanted=wanted, people=PEOPLE)

    @app.get("/products/<sku>")
    def product(sku: str) -> str:
        garment = garments.get(sku) or abort(404)
        others = _others(list(garments.values()), garment)
        return render_template("product.html", garment=garment, others=others)

    @app.get("/cart")
    def cart() -> str:
        return render_template("cart.html", garments=garments.values())

    @app.errorhandler(404)
    def missing(_error: Exception) -> tuple[str, int]:
        return render_template("missing.html"), 404


def _others(garments: list[Garment], garment: Garment) -> list[Garment]:
    """Four recommendations: products that follow it in the window, other categories first."""
    place = garments.index(garment)
    following = garments[place + 1 :] + garments[:place]
    return sorted(following, key=lambda other: other.category == garment.category)[:4]


def _add_files(app: Flask) -> None:
    @app.get("/tokens.css")
    def tokens() -> Response:
        """The design tokens, the widget's own file."""
        return send_from_directory(TOKENS, "tokens.css")

    @app.get("/favicon.ico")
    def icon() -> Response:
        return send_from_directory(HERE / "static", "icon.svg")


def _protect(app: Flask, settings: ShopSettings) -> None:
    """Security headers. The content-security policy allows the embed exactly what docs/embedding.md
    asks for."""
    policy = {
        "default-src": "'none'",
        "script-src": f"'self' {settings.server_url}/embed/",
        "connect-src": settings.server_url,
        "frame-src": settings.server_url,
        "style-src": "'self'",
        "img-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
    }

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "; ".join(
            f"{directive} {sources}" for directive, sources in policy.items()
        )
        response.headers["Permissions-Policy"] = f'camera=(self "{settings.server_url}")'
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
        return response


def __getattr__(name: str) -> Flask:
    """Creates `embed.demo.shop:app` when gunicorn asks for it, so that importing this module reads
    no settings."""
    if name == "app":
        return create_app()
    raise AttributeError(name)

"""Pages of garments: the list, adding several at once, and one garment."""

from __future__ import annotations

from collections.abc import Mapping

import htmx_flask
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gpu_worker.contract import Category, GarmentStatus
from server.auth import allow
from server.domain import garments as acts
from server.infra.caller import Caller
from server.infra.errors import Problem
from server.infra.services import current_services
from server.models import Garment
from server.rendering import dashboard_fragments
from server.rendering.words import dashboard as said
from server.rendering.words import limits
from server.web.dashboard import scope, snippets

PAGE_LENGTH = 25
PRINTABLE = r"^[^\x00-\x1f\x7f]+$"


class GarmentForm(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True)

    title: str = Field(min_length=1, max_length=200, pattern=PRINTABLE)
    category: Category


class NewGarmentForm(GarmentForm):
    sku: str = Field(min_length=1, max_length=100, pattern=PRINTABLE)
    image_key: str = Field(min_length=1, max_length=300)
    replaces: str = ""


@allow("user")
def garments(caller: Caller) -> str:
    services = current_services()
    cursor = request.args.get("cursor")
    page = acts.listing(services, caller, cursor=cursor, limit=PAGE_LENGTH)
    return render_template(
        "dashboard/garments.html",
        rows=[dashboard_fragments.garment_row(services.store, row) for row in page.rows],
        cursor=cursor,
        first_page=not cursor,
        first_url=url_for("dashboard.garments"),
        next_url=page.next_cursor and url_for("dashboard.garments", cursor=page.next_cursor),
    )


@allow("user")
def garment(garment_id: str, caller: Caller) -> str:
    return _page(caller, acts.get(current_services(), caller, garment_id))


def _page(
    caller: Caller,
    row: Garment,
    form: Mapping[str, str] | None = None,
    errors: dict[str, str] | None = None,
) -> str:
    services = current_services()
    sites, _ = scope.choose(caller, None)
    return render_template(
        "dashboard/garment.html",
        section="dashboard.garments",
        garment=row,
        state=dashboard_fragments.garment_state(services.store, row),
        form=form or row,
        errors=errors or {},
        sites=sites,
        site=next(site for site in sites if site.id == row.site_id),
        button_snippet=snippets.button(row.sku),
    )


# --- adding --------------------------------------------------------------------------------------


@allow("user")
def add_garment(caller: Caller) -> str:
    """The page to add garments. Query `replaces`: a rejected garment that gets another picture."""
    settings = current_services().settings
    replaced = _rejected(caller, request.args.get("replaces", ""))
    named = replaced.site_id if replaced else request.args.get("site")
    sites, site = scope.choose(caller, named)
    return render_template(
        "dashboard/garment_add.html",
        section="dashboard.garments",
        sites=sites,
        site=site,
        replaced=replaced,
        draft={"name": "draft", "site_id": site.id} | _told(replaced),
        errors={},
        max_bytes=settings.max_upload_bytes,
        largest_file=limits.size(settings.max_upload_bytes),
    )


def _rejected(caller: Caller, garment_id: str) -> Garment | None:
    if not garment_id:
        return None
    row = acts.get(current_services(), caller, garment_id)
    return row if row.status == GarmentStatus.REJECTED else None


def _told(replaced: Garment | None) -> dict[str, str]:
    if replaced is None:
        return {}
    return {
        "replaces": replaced.id,
        "title": replaced.title,
        "sku": replaced.sku,
        "category": replaced.category.value,
    }


@allow("user")
def create_garment(caller: Caller) -> ResponseReturnValue:
    """Answers htmx with the new row, or with the form again and errors beside its fields (422)."""
    caller = scope.at(caller, request.form.get("site_id", ""))
    try:
        row = _create(caller, NewGarmentForm.model_validate(request.form.to_dict()))
    except (ValidationError, Problem) as error:
        return _draft_again(_errors(error)), 422
    if not htmx_flask.request.htmx:
        return redirect(url_for("dashboard.garments"), 303)
    added = dashboard_fragments.garment_row(current_services().store, row)
    return Markup('<tbody hx-swap-oob="afterbegin:#rows">{}</tbody>').format(added)


def _create(caller: Caller, form: NewGarmentForm) -> Garment:
    replaced = _rejected(caller, form.replaces)
    new = acts.NewGarment(
        title=form.title, sku=form.sku, category=form.category, image_key=form.image_key
    )
    return acts.create(current_services(), caller, new, replaces=replaced.id if replaced else None)


def _draft_again(errors: dict[str, str]) -> str:
    draft = request.form.to_dict()
    draft["name"] = str(escape(draft.pop("draft", "draft")))
    return render_template("dashboard/_draft.html", draft=draft, errors=errors)


def _errors(error: ValidationError | Problem) -> dict[str, str]:
    """A sentence for each refused field, by its name.

    Raises:
        Problem: `error` itself, if it is about no field.
    """
    if isinstance(error, ValidationError):
        names = [str(item["loc"][0]) for item in error.errors()]
        return {name: said.wrong_field(name) for name in names}
    found = said.refused_field(error.code)
    if found is None:
        raise error
    return dict([found])


# --- changing ------------------------------------------------------------------------------------


@allow("user")
def change_garment(garment_id: str, caller: Caller) -> ResponseReturnValue:
    services = current_services()
    row = acts.get(services, caller, garment_id)
    try:
        form = GarmentForm.model_validate(request.form.to_dict())
    except ValidationError as error:
        return _page(caller, row, form=request.form, errors=_errors(error)), 422
    acts.change(services, caller, garment_id, title=form.title, category=form.category)
    flash(said.details_saved(), "good")
    return redirect(url_for("dashboard.garment", garment_id=garment_id), 303)


@allow("user")
def delete_garment(garment_id: str, caller: Caller) -> ResponseReturnValue:
    services = current_services()
    row = acts.get(services, caller, garment_id)
    acts.remove(services, caller, garment_id)
    flash(said.garment_deleted(row.title), "good")
    return redirect(url_for("dashboard.garments"), 303)

"""Reads and changes garments: create, list, change, delete, time out.

A function that takes `Services` runs in a transaction of its own; one that takes a `Work` runs in
the caller's, which may be the steward's.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from gpu_worker.contract import Category, Reason, address_fault
from server.domain import uploads
from server.domain.garments import jobs, lifecycle
from server.domain.transitions import write
from server.infra import nudges, paging
from server.infra.caller import Caller, get_owned, owned, require_site
from server.infra.errors import Code, Problem
from server.infra.paging import Page
from server.infra.services import Services, Work
from server.infra.store import garment_keys
from server.models import Garment, Upload, new_id


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGarment:
    """What a caller gives for a garment. Its picture is either `image_key`, an upload of the
    caller's, or `image_url`, which the fetcher downloads."""

    sku: str
    title: str
    category: Category
    image_key: str | None = None
    image_url: str | None = None
    clean: bool = True


def create(
    services: Services, caller: Caller, new: NewGarment, *, replaces: str | None = None
) -> Garment:
    """Adds a garment and enqueues the cleaning of its picture. `replaces`: the id of a garment that
    is deleted in the same transaction, so that its SKU is free.

    Raises:
        Problem: sku_taken, upload_not_found, upload_missing, type_mismatch, garment_not_found (for
            `replaces`); invalid for an address that can never be fetched.
    """
    site_id = require_site(caller)
    _refuse_hopeless(services, new.image_url)
    upload = _upload(services, caller, new)
    garment_id = new_id("gar")
    keys = garment_keys(garment_id)
    garment = Garment(
        id=garment_id,
        merchant_id=caller.merchant_id,
        site_id=site_id,
        sku=new.sku,
        title=new.title,
        category=new.category,
        clean=new.clean,
        upload_key=upload.key if upload else None,
        image_url=new.image_url,
        clean_key=keys.clean,
        parts_key=keys.parts,
        cutout_key=keys.cutout,
    )
    with services.work() as work:
        if replaces is not None:
            _remove(work, caller, replaces)
            work.session.flush()  # before the insert, else the SKU would seem taken
        work.session.add(garment)
        _flush(work)
        if upload is not None:
            uploads.take_over(work, upload, param="image_key")
        work.announce(nudges.of(garment))
        work.after_commit(lambda: jobs.enqueue(services, garment))
    return garment


def get(services: Services, caller: Caller, garment_id: str) -> Garment:
    """Raises `Problem` garment_not_found."""
    with services.read() as session:
        return get_owned(session, Garment, caller, garment_id, missing=Code.GARMENT_NOT_FOUND)


def find_by_sku(services: Services, caller: Caller, sku: str) -> Garment | None:
    with services.read() as session:
        return session.scalar(owned(select(Garment).where(Garment.sku == sku), Garment, caller))


def by_sku(services: Services, caller: Caller, sku: str) -> Garment:
    """Raises `Problem` garment_not_found."""
    garment = find_by_sku(services, caller, sku)
    if garment is None:
        raise Problem(Code.GARMENT_NOT_FOUND, param="sku")
    return garment


def listing(
    services: Services,
    caller: Caller,
    *,
    cursor: str | None = None,
    limit: int = 20,
    sku: str | None = None,
) -> Page[Garment]:
    """The caller's garments, newest first."""
    only = [Garment.sku == sku] if sku is not None else []
    return paging.listed(services, caller, Garment, cursor, limit, *only)


def change(
    services: Services,
    caller: Caller,
    garment_id: str,
    *,
    title: str | None = None,
    sku: str | None = None,
    category: Category | None = None,
) -> Garment:
    """Changes what is given; None keeps the present value. A new category needs no new cleaning:
    an engine reads again what it needs of the picture.

    Raises:
        Problem: garment_not_found or sku_taken.
    """
    with services.work() as work:
        garment = get_owned(
            work.session, Garment, caller, garment_id, missing=Code.GARMENT_NOT_FOUND, lock=True
        )
        garment.title = garment.title if title is None else title
        garment.sku = garment.sku if sku is None else sku
        garment.category = category or garment.category
        work.nudge(garment)
        _flush(work)
    return garment


def remove(services: Services, caller: Caller, garment_id: str) -> None:
    """Deletes a garment and its objects. Pictures that show it stay with their shoppers.

    Raises:
        Problem: garment_not_found.
    """
    with services.work() as work:
        _remove(work, caller, garment_id)


def _remove(work: Work, caller: Caller, garment_id: str) -> None:
    garment = get_owned(
        work.session, Garment, caller, garment_id, missing=Code.GARMENT_NOT_FOUND, lock=True
    )
    # Its presigned URL may still be valid, so the object could be written again.
    work.doom([garment.upload_key], until=uploads.writable_until(garment.created_at))
    work.doom(garment_keys(garment.id).all())
    if garment.status in lifecycle.UNFINISHED:
        _cancel_job(work, garment)
    work.announce(nudges.gone(garment))
    work.session.delete(garment)


def end_overdue(work: Work, garment: Garment) -> None:
    """Timeout: rejects a garment that was not cleaned in time, with `worker_lost`."""
    _cancel_job(work, garment)
    write(garment, lifecycle.rejected(garment, [Reason.WORKER_LOST.value]))


def _cancel_job(work: Work, garment: Garment) -> None:
    queue, job = work.services.jobs, jobs.job_of(garment)
    work.after_commit(lambda: jobs.cancel(queue, job))


def _refuse_hopeless(services: Services, address: str | None) -> None:
    # The fetcher checks by the same rules, but then the garment would exist and be rejected later.
    any_port = bool(services.settings.allow_loopback_image_urls)
    fault = None if address is None else address_fault(address, any_port=any_port)
    if fault is not None:
        raise Problem(Code.INVALID, fault, param="image_url")


def _upload(services: Services, caller: Caller, new: NewGarment) -> Upload | None:
    if new.image_key is None:
        return None
    return uploads.find(services, caller, new.image_key, purpose="garment", param="image_key")


def _flush(work: Work) -> None:
    try:
        work.session.flush()
    except IntegrityError as error:
        raise Problem(Code.SKU_TAKEN, param="sku") from error

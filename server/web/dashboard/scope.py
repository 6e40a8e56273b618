"""Selects the site that a page is about; another merchant's site is 404, like an unknown one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from server.domain import sites
from server.infra.caller import Caller
from server.infra.errors import Code, Problem
from server.infra.services import current_services
from server.models import Site


def at(caller: Caller, site_id: str) -> Caller:
    """The caller, bound to this site of her merchant.

    Raises:
        Problem: not_found.
    """
    return replace(caller, site_id=sites.get(current_services(), caller, site_id).id)


def choose(caller: Caller, site_id: str | None) -> tuple[Sequence[Site], Site]:
    """All sites of the merchant, and the one with `site_id`; None chooses the first.

    Raises:
        Problem: not_found.
    """
    found = sites.listing(current_services(), caller)
    chosen = [site for site in found if site_id in (None, site.id)]
    if not chosen:
        raise Problem(Code.NOT_FOUND)
    return found, chosen[0]

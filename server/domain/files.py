"""Access control for downloads: whether a caller may read an object of the store, by its key.

An object is readable only if a row of the caller's names it and that noun's `files` lists it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from server.infra.caller import Caller
from server.infra.errors import Code, Problem
from server.infra.kinds import KINDS
from server.infra.services import Services

_KEY = re.compile(r"^[a-z]+/([a-z]{3}_[0-9a-f]{24})(?:\.jpg|/.+)$")


def find(services: Services, caller: Caller, key: str) -> str:
    """Returns the key unchanged if a row of the caller's names it.

    Raises:
        Problem: file_not_found; gone for a picture that was deleted or has expired.
    """
    match = _KEY.match(key)
    if match is None:
        raise Problem(Code.FILE_NOT_FOUND)
    try:
        known = _keys(services, caller, match[1])
    except Problem as problem:
        if problem.status == 404:
            raise Problem(Code.FILE_NOT_FOUND) from problem
        raise
    if key not in known:
        raise Problem(Code.FILE_NOT_FOUND)
    return key


def _keys(services: Services, caller: Caller, row_id: str) -> Iterable[str | None]:
    kind = KINDS.of_id(row_id)
    if kind is None or kind.files is None:
        raise Problem(Code.FILE_NOT_FOUND)
    return kind.files(services, caller, row_id)

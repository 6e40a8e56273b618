"""Hashes of what people and programs prove themselves with: passwords, secret keys, handles.

Password hashes are made where they do not hold up every other request.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

Answer = TypeVar("Answer")

_hasher = PasswordHasher()


@cache
def _nobody() -> str:
    """Compared against where no user has the e-mail, so that both answers take equally long."""
    return _hasher.hash("nobody has this password")


def hash_token(token: str) -> str:
    """For what carries its own 192 random bits: a plain hash is enough and can be looked up."""
    return hashlib.sha256(token.encode()).hexdigest()


def hash_password(password: str) -> str:
    return _in_thread_pool(lambda: _hasher.hash(password))


def verify(password: str, password_hash: str | None) -> bool:
    """Whether the password is right; None for a user that does not exist takes as long."""

    def check() -> bool:
        try:
            return (
                _hasher.verify(password_hash or _nobody(), password) and password_hash is not None
            )
        except (VerificationError, InvalidHashError):
            return False

    return _in_thread_pool(check)


def _in_thread_pool(work: Callable[[], Answer]) -> Answer:
    """Argon2 holds its thread for 50 ms and more: under gevent it runs in the real thread pool."""
    from gevent import get_hub, monkey  # noqa: PLC0415 - the steward and cli need no gevent

    if not monkey.is_module_patched("threading"):
        return work()
    answer: Answer = get_hub().threadpool.apply(work)
    return answer

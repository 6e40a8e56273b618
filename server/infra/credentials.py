"""Hashing of credentials: Argon2 for passwords, SHA-256 for random tokens and keys.

Argon2 runs in a thread pool, so that it does not block the other greenlets.
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
    """A hash to verify against if the e-mail is unknown, so that timing reveals no accounts."""
    return _hasher.hash("nobody has this password")


def hash_token(token: str) -> str:
    """SHA-256 of a token with at least 192 random bits. Those need no salt and no slow hash, and an
    unsalted hash can be found by an index."""
    return hashlib.sha256(token.encode()).hexdigest()


def hash_password(password: str) -> str:
    return _in_thread_pool(lambda: _hasher.hash(password))


def verify(password: str, password_hash: str | None) -> bool:
    """Whether the password is right. `password_hash` None: no such user; takes equally long."""

    def check() -> bool:
        try:
            return (
                _hasher.verify(password_hash or _nobody(), password) and password_hash is not None
            )
        except (VerificationError, InvalidHashError):
            return False

    return _in_thread_pool(check)


def _in_thread_pool(work: Callable[[], Answer]) -> Answer:
    """Under gevent, runs `work` in its pool of real threads: Argon2 would block all greenlets of
    this process for 50 ms and more."""
    from gevent import get_hub, monkey  # noqa: PLC0415 - the steward and cli need no gevent

    if not monkey.is_module_patched("threading"):
        return work()
    answer: Answer = get_hub().threadpool.apply(work)
    return answer

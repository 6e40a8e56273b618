"""Passwords and removal, where several act at once: real rows on both databases."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from sqlalchemy.orm import Session

from server.domain import dashboard_sessions, users
from server.infra.errors import Problem
from server.models import DashboardSession, User
from tests.server.actors import World

ADA = "ada@example.com"


def user(world: World, email: str) -> User:
    with world.services.read() as session:
        return session.query(User).filter_by(email=email).one()


def test_two_owners_cannot_remove_each_other(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither goes on from counting the owners before the other has counted, if both may."""
    world, removed, refused = any_world, list[str](), list[str]()
    dora = User(
        merchant_id=world.site.merchant_id, email="dora@example.com", role="owner",
        password_hash="-",
    )  # fmt: skip
    world.add(dora)
    both_counted, count = threading.Barrier(2), users._owners

    def counted(session: Session, merchant_id: str) -> int:
        owners = count(session, merchant_id)
        with suppress(threading.BrokenBarrierError):
            both_counted.wait(0.5)
        return owners

    monkeypatch.setattr(users, "_owners", counted)

    def remove(email: str) -> None:
        try:
            removed.append(users.remove(world.services, email).user.email)
        except Problem as problem:
            refused.append(problem.code)

    threads = [threading.Thread(target=remove, args=(email,)) for email in (ADA, dora.email)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(removed), refused) == (1, ["not_allowed"])


def test_what_ends_sessions_ends_those_of_one_user(any_world: World) -> None:
    world = any_world
    for email in (ADA, ADA, "ben@example.com", "cleo@example.com"):
        row = user(world, email)
        assert dashboard_sessions.begin(
            world.services, row.id, password_hash=row.password_hash, browser="Firefox"
        )
    assert users.set_password(world.services, ADA, "another long password").sessions == 2
    assert users.remove(world.services, "ben@example.com").sessions == 1
    with world.services.read() as session:
        left = session.query(DashboardSession).one()
    assert left.user_id == user(world, "cleo@example.com").id

"""`python -m server.cli`: tables and people from nothing, and the demo, which seeds once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy.orm import Session

from server.cli import __main__ as cli
from server.infra import credentials
from server.infra.db import Database
from server.models import Garment, User
from tests.services import S3Settings


@contextmanager
def reading(url: str) -> Iterator[Session]:
    database = Database(url)
    with database.session_scope(write=False) as session:
        yield session
    database.dispose()


@pytest.fixture
def command(
    redis_url: str, empty_database_url: str, store: S3Settings,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> Any:  # fmt: skip
    told = {
        "PROTEUS_SECRET_KEY": "0123456789abcdef0123456789abcdef", "REDIS_URL": redis_url,
        "DATABASE_URL": empty_database_url, "SHOP_PORT": "8081",
        "PROTEUS_PASSWORD": "correct horse", **store.env(),
    }  # fmt: skip
    for name, value in told.items():
        monkeypatch.setenv(name, value)

    def run(*argv: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert cli.main(list(argv)) == code
        said = capsys.readouterr()
        return json.loads(said.out) if said.out else said.err

    run("migrate")
    return run


def test_from_nothing_to_a_key(command: Any, empty_database_url: str) -> None:
    merchant = command("merchant", "Ada's")["merchant_id"]
    user = command("user", merchant, "ada@example.com", "owner")
    site = command("site", merchant, "Shop", "https://shop.example", "http://localhost:3000")
    key = command("key", site["site"], "test")
    assert user["role"] == "owner"
    assert site["publishable_key"].startswith("pk_live_")
    assert key["secret_key"].startswith("sk_test_")
    with reading(empty_database_url) as session:
        row = session.query(User).one()
        assert credentials.verify("correct horse", row.password_hash)


def test_refusals(command: Any) -> None:
    merchant = command("merchant", "Ada's")["merchant_id"]
    assert "no merchant" in command("user", "mer_0", "a@example.com", "owner", code=1)
    assert "not an origin" in command("site", merchant, "Shop", "https://shop.example/", code=1)
    assert "no site" in command("key", "sit_0", "live", code=1)
    command("user", merchant, "a@example.com", "owner")
    assert "taken" in command("user", merchant, "a@example.com", "owner", code=1)


def test_a_retry_says_what_it_cannot_put_back(command: Any) -> None:
    refused = {"try_0": "try_on_not_found", "try_1": "try_on_not_found"}
    assert command("retry", "try_0", "try_1") == {"queued": [], "refused": refused}


def test_the_demo_seeds_once(command: Any, empty_database_url: str) -> None:
    first = command("demo")
    assert command("demo") == first
    assert set(first) >= {
        "server_url", "site", "publishable_key", "secret_key", "email", "password", "garments",
    }  # fmt: skip
    assert len(first["garments"]) >= 6
    assert {g["category"] for g in first["garments"]} == {"upper", "lower", "overall"}
    with reading(empty_database_url) as session:
        assert session.query(Garment).count() == len(first["garments"])
        people = {user.email: user for user in session.query(User)}
    assert {email: user.role for email, user in people.items()} == {
        "ada@example.com": "owner", "ben@example.com": "staff",
    }  # fmt: skip
    assert credentials.verify(first["password"], people["ada@example.com"].password_hash)


def test_a_new_password_and_a_removal(command: Any, empty_database_url: str) -> None:
    merchant = command("merchant", "Ada's")["merchant_id"]
    ada = command("user", merchant, "ada@example.com", "owner")
    ben = command("user", merchant, "ben@example.com", "staff")
    with reading(empty_database_url) as session:
        before = session.get_one(User, ada["user_id"]).password_hash
    answer = command("password", " Ada@example.com ")
    ended = {"email": "ada@example.com", "sessions_ended": 0}
    assert answer == {"user_id": ada["user_id"], **ended}
    with reading(empty_database_url) as session:
        after = session.get_one(User, ada["user_id"]).password_hash
    assert after != before
    assert credentials.verify("correct horse", after)

    assert "last owner" in command("remove-user", "ada@example.com", code=1)
    command("user", merchant, "dora@example.com", "owner")
    for gone in (ada, ben):
        assert command("remove-user", gone["email"])["removed"] is True
    assert "last owner" in command("remove-user", "dora@example.com", code=1)
    with reading(empty_database_url) as session:
        assert [user.email for user in session.query(User)] == ["dora@example.com"]


def test_refusals_of_passwords_and_removals(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    merchant = command("merchant", "Ada's")["merchant_id"]
    command("user", merchant, "ada@example.com", "owner")
    for name in ("password", "remove-user"):
        assert "There is no user" in command(name, "nobody@example.com", code=1)
    monkeypatch.setenv("PROTEUS_PASSWORD", "too short")
    assert "at least 10 characters" in command("password", "ada@example.com", code=1)

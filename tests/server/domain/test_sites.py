"""Sites: origins are validated as origins, keys are shown once and stored hashed."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain import sites
from server.infra import credentials
from server.infra.errors import Problem
from server.models import SecretKey, User
from tests.server.actors import World


@pytest.mark.parametrize(
    "origin",
    [
        "https://shop.example",
        "https://shop.example:8443",
        "https://xn--bcher-kva.example",
        "https://192.0.2.7",
        "https://[2001:db8::1]",
        "http://localhost",
        "http://localhost:3000",
        "http://127.0.0.1:8081",
        "http://[::1]:8081",
    ],
)
def test_origins(origin: str) -> None:
    assert sites.check_origin(origin) == origin


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "*",
        "shop.example",
        "//shop.example",
        "https://",
        "https://shop.example/",
        "https://shop.example/path",
        "https://shop.example?x",
        "https://shop.example#x",
        "https://shop.example:443",
        "https://shop.example:",
        "https://shop.example:99999",
        "https://shop.example:x",
        "https://Shop.example",
        "https://bücher.example",
        "https://*.example",
        "https://u:p@shop.example",
        "https://shop.example ",
        "https://shop.example\n",
        "https://shop..example",
        "https://-shop.example",
        "https://[::1",
        "http://shop.example",
        "http://127.0.0.1.evil.com",
        "http://localhost.evil.com",
        "ftp://shop.example",
        "chrome-extension://abc",
        "file://",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_origin(origin: str) -> None:
    with pytest.raises(Problem) as caught:
        sites.check_origin(origin)
    assert (caught.value.code, caught.value.param) == ("invalid", "allowed_origins")


@given(st.text(max_size=40) | st.from_regex(r"https?://[a-z0-9.:\[\]@/*-]{0,30}"))
def test_whatever_is_taken_is_an_origin(origin: str) -> None:
    try:
        taken = sites.check_origin(origin)
    except Problem:
        return
    parts = urlsplit(taken)
    assert taken == f"{parts.scheme}://{parts.netloc}"
    assert (
        parts.scheme == "https"
        or parts.hostname in ("localhost", "::1")
        or (str(parts.hostname).startswith("127."))
    )
    assert not set(taken) & set("*@ \t\n")


def test_a_secret_key_is_shown_once(any_world: World) -> None:
    world, owner = any_world, any_world.user("ada@example.com")
    made = sites.create_secret_key(world.services, owner, world.site.id, "test")
    assert made.secret_key.startswith("sk_test_")
    row = world.fetch(SecretKey, made.row.id)
    assert row.hash == credentials.hash_token(made.secret_key)
    assert row.hint == made.secret_key[-4:]
    sites.revoke_secret_key(world.services, owner, row.id)
    assert world.fetch(SecretKey, row.id).revoked_at is not None


def test_cleo_touches_nothing_of_adas(any_world: World) -> None:
    world, cleo = any_world, any_world.user("cleo@example.com")
    made = sites.create_secret_key(
        world.services, world.user("ada@example.com"), world.site.id, "live"
    )
    for act in (
        lambda: sites.get(world.services, cleo, world.site.id),
        lambda: sites.change_origins(world.services, cleo, world.site.id, []),
        lambda: sites.create_secret_key(world.services, cleo, world.site.id, "live"),
        lambda: sites.revoke_secret_key(world.services, cleo, made.row.id),
    ):
        with pytest.raises(Problem) as caught:
            act()
        assert caught.value.code == "not_found"
    assert [site.id for site in sites.listing(world.services, cleo)] == [world.other_site.id]


def test_origins_change_as_a_whole_or_not_at_all(world: World) -> None:
    owner = world.user("ada@example.com")
    with pytest.raises(Problem):
        sites.change_origins(world.services, owner, world.site.id, ["https://a.example", "*"])
    assert sites.get(world.services, owner, world.site.id).allowed_origins == [
        "https://shop.example"
    ]
    sites.change_origins(world.services, owner, world.site.id, ["https://a.example"])
    assert sites.get(world.services, owner, world.site.id).allowed_origins == ["https://a.example"]


def test_people(world: World) -> None:
    ben = world.user("ben@example.com")
    assert (ben.kind, ben.role, ben.merchant_id) == ("user", "staff", world.site.merchant_id)
    with world.services.read() as session:
        row = session.query(User).filter_by(email="ben@example.com").one()
    assert credentials.verify("correct horse", row.password_hash)
    assert not credentials.verify("wrong horse", row.password_hash)
    assert not credentials.verify("correct horse", None)
    assert not credentials.verify("correct horse", "no hash at all")


@pytest.mark.parametrize(
    ("email", "password"), [("Ada@Example.com ", "long enough!"), ("new@example.com", "short")]
)
def test_people_that_cannot_be(world: World, email: str, password: str) -> None:
    with pytest.raises(Problem) as caught:
        sites.create_user(
            world.services, world.site.merchant_id, email=email, password=password, role="staff"
        )
    assert caught.value.code == "invalid"

"""Who gets in, where to, and how often somebody may guess. What ends a session: test_account."""

from __future__ import annotations

import pytest

from server.web.dashboard.login import next_page
from tests.server.web.dashboard.conftest import PASSWORD, House


def test_ada_logs_in_and_out(house: House) -> None:
    ada = house.person("ada")
    answer = ada.log_in()
    assert (answer.status_code, answer.location) == (303, "/dashboard/")
    assert "ada@example.com" in ada.page
    assert "Linden &amp; Rye" in ada.page
    left = ada.post("/dashboard/logout")
    assert (left.status_code, left.location) == (303, "/dashboard/login")
    assert ada.get("/dashboard/").status_code == 302


def test_email_is_read_as_people_write_it(house: House) -> None:
    ada = house.person("ada")
    ada.email = "  Ada@Example.com "
    assert ada.log_in().status_code == 303


def test_session_cookie_is_for_this_dashboard_alone(house: House) -> None:
    answer = house.person("ada").log_in()
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/dashboard" in cookie
    assert "Secure" not in cookie  # this test's server is http; see below


def test_session_cookie_is_secure_over_https(https_house: House) -> None:
    ada = https_house.person("ada")
    ada.get("/dashboard/login", base_url="https://proteus.example")
    answer = ada.post(
        "/dashboard/login",
        {"email": ada.email, "password": PASSWORD},
        base_url="https://proteus.example",
        headers={"Referer": "https://proteus.example/dashboard/login"},
    )
    assert answer.status_code == 303
    assert "Secure" in answer.headers["Set-Cookie"]


def test_login_starts_a_new_session(house: House) -> None:
    """What somebody planted in the browser before does not become a login."""
    ada = house.person("ada")
    ada.get("/dashboard/login")
    with ada.client.session_transaction(path="/dashboard") as before:
        before["planted"] = "x"
        token = before["csrf_token"]
    assert ada.log_in().status_code == 303
    with ada.client.session_transaction(path="/dashboard") as after:
        assert "planted" not in after
        assert after["csrf_token"] != token


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("/dashboard/garments?cursor=x", "/dashboard/garments?cursor=x"),
        ("/dashboard/", "/dashboard/"),
        ("https://evil.example/dashboard/", "/dashboard/"),
        ("//evil.example/dashboard/", "/dashboard/"),
        ("/\\evil.example", "/dashboard/"),
        ("/dashboard/\\@evil.example", "/dashboard/"),
        ("/v1/photos", "/dashboard/"),
        ("javascript:alert(1)", "/dashboard/"),
        ("", "/dashboard/"),
        (None, "/dashboard/"),
    ],
)
def test_next_page_is_always_of_this_dashboard(house: House, wanted: str | None, got: str) -> None:
    with house.app.test_request_context():
        assert next_page(wanted) == got


def test_login_leads_back_to_the_page_asked_for(house: House) -> None:
    ada = house.person("ada")
    sent = ada.get("/dashboard/try-ons?mode=test")
    assert sent.location == "/dashboard/login?next=/dashboard/try-ons?mode%3Dtest"
    back = ada.log_in(query="?next=/dashboard/try-ons?mode%3Dtest")
    assert back.location == "/dashboard/try-ons?mode=test"


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@example.com", "not her password"),
        ("ada@example.com", ""),
        ("nobody@example.com", PASSWORD),
        ("", ""),
        ("ada@example.com' OR 1=1 --", PASSWORD),
        ("ada@example.com", "x" * 20_000),
    ],
)
def test_wrong_logins_get_one_answer(house: House, email: str, password: str) -> None:
    ada = house.person("ada")
    ada.email = email
    answer = ada.log_in(password=password)
    assert answer.status_code == 401
    assert "That email and password don&#39;t go together." in answer.text
    assert ada.get("/dashboard/").status_code == 302


def test_guessing_is_slowed_by_name(house: House) -> None:
    for guess in range(10):
        assert house.person("ada").log_in(password=f"guess {guess}").status_code == 401
    slowed = house.person("ada").log_in()
    assert slowed.status_code == 429
    assert int(slowed.headers["Retry-After"]) > 0
    assert "Wait a minute" in slowed.text


def test_guessing_is_slowed_by_address(house: House) -> None:
    for guess in range(30):
        stranger = house.person("ada")
        stranger.email = f"name{guess}@example.com"
        stranger.log_in()
    assert house.person("cleo").log_in().status_code == 429


def test_login_needs_a_csrf_token(house: House) -> None:
    ada = house.person("ada")
    answer = ada.client.post("/dashboard/login", data={"email": ada.email, "password": PASSWORD})
    assert answer.status_code == 400
    assert "This page was open for too long." in answer.text

"""Sessions of the dashboard: a copied cookie is worth nothing once its session has ended, whatever
ended it; everybody ends their own alone; a new password."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from server import auth
from server.domain import dashboard_sessions, users
from server.infra.credentials import hash_token
from server.infra.errors import Problem
from server.infra.services import Services
from server.models import DashboardSession, User, now
from server.steward import expiry
from server.web.dashboard import browsers
from tests.server.web.dashboard.conftest import PASSWORD, House, Person

COOKIE = "proteus_dashboard"
NEW = "another long password"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


def cookie_of(person: Person) -> str:
    cookie = person.client.get_cookie(COOKIE, path="/dashboard")
    assert cookie is not None
    return cookie.value


def copied(house: House, cookie: str) -> Person:
    """Somebody else's browser that holds a copy of this cookie."""
    thief = house.person("ada")
    thief.client.set_cookie(COOKIE, cookie, path="/dashboard")
    return thief


def gets_in(person: Person) -> bool:
    page = person.get("/dashboard/")
    script = person.client.post("/dashboard/live-tickets", json={})
    if page.status_code == 302:
        assert page.location.startswith("/dashboard/login")
        assert script.status_code == 401
    return page.status_code == 200


def rows(house: House, person: Person | None = None) -> list[DashboardSession]:
    query = select(DashboardSession).order_by(DashboardSession.created_at)
    if person is not None:
        query = query.join(DashboardSession.user).where(User.email == person.email)
    with house.services.read() as session:
        return list(session.scalars(query))


def second_browser(house: House, name: str = "ada") -> Person:
    person = house.person(name)
    person.client.environ_base["HTTP_USER_AGENT"] = FIREFOX
    assert person.log_in().status_code == 303
    return person


def change(ada: Person, **said: str) -> Any:
    ada.get("/dashboard/account")
    return ada.post(
        "/dashboard/account/password", {"old": PASSWORD, "new": NEW, "again": NEW} | said
    )


# --- what ends a session -------------------------------------------------------------------------


def test_only_a_hash_of_the_token_is_kept(house: House, ada: Person) -> None:
    with ada.client.session_transaction(path="/dashboard") as cookie:
        token = cookie["_user_id"]
    (row,) = rows(house)
    assert row.token_hash == hash_token(token)
    assert token not in str(vars(row))
    assert row.expires_at - row.created_at == timedelta(days=30)


def log_out(house: House, ada: Person) -> None:
    ada.post("/dashboard/logout")


def new_password_here(house: House, ada: Person) -> None:
    assert change(ada).status_code == 303


def new_password_from_the_shell(house: House, ada: Person) -> None:
    users.set_password(house.services, ada.email, NEW)


def removal(house: House, ada: Person) -> None:
    users.remove(house.services, ada.email)


def thirty_days(house: House, ada: Person) -> None:
    with house.services.work() as work:
        work.session.execute(update(DashboardSession).values(expires_at=now()))


def a_week_unused(house: House, ada: Person) -> None:
    old = now() - dashboard_sessions.IDLE
    with house.services.work() as work:
        work.session.execute(update(DashboardSession).values(last_seen_at=old))


@pytest.mark.parametrize(
    "end",
    [
        log_out, new_password_here, new_password_from_the_shell, removal, thirty_days,
        a_week_unused,
    ],
)  # fmt: skip
def test_a_copied_cookie_is_worth_nothing_afterwards(
    house: House, end: Callable[[House, Person], None]
) -> None:
    house.add(
        User(
            merchant_id=house.sites["ada"].merchant_id, email="dora@example.com", role="owner",
            password_hash="-",
        )
    )  # fmt: skip
    ada = house.person("ada")
    assert ada.log_in().status_code == 303
    thief = copied(house, cookie_of(ada))
    assert gets_in(thief)
    before = copied(house, cookie_of(thief))  # each answer renews the cookie; not the session
    end(house, ada)
    assert not gets_in(thief)
    assert not gets_in(before)


def test_a_session_runs_out_however_often_it_is_used(house: House, ada: Person) -> None:
    with ada.client.session_transaction(path="/dashboard") as cookie:
        token = cookie["_user_id"]
    began = rows(house)[0].created_at
    day = timedelta(days=1)

    def found(at: Any) -> bool:
        return dashboard_sessions.find(house.services, token, at) is not None

    assert [found(began + n * day) for n in (6, 12, 18, 24)] == [True] * 4
    assert found(began + 30 * day - timedelta(seconds=1))
    assert not found(began + 30 * day)
    assert expiry.expire(house.services, began + 30 * day - timedelta(seconds=1)) == 0
    assert expiry.expire(house.services, began + 30 * day) == 1
    assert rows(house) == []

    assert ada.log_in().status_code == 303
    seen = rows(house)[0].last_seen_at
    assert expiry.expire(house.services, seen + 7 * day - timedelta(seconds=1)) == 0
    assert expiry.expire(house.services, seen + 7 * day) == 1  # unused


def test_last_seen_is_written_once_a_minute(
    house: House, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    note, noted = dashboard_sessions._note_seen, list[float]()

    def noting(services: Services, row: DashboardSession, at: datetime) -> None:
        noted.append((at - began).total_seconds())
        note(services, row, at)

    monkeypatch.setattr(dashboard_sessions, "_note_seen", noting)
    with ada.client.session_transaction(path="/dashboard") as cookie:
        token = cookie["_user_id"]
    began = rows(house)[0].last_seen_at
    for after_s, noted_s in ((0, 0), (59, 0), (60, 60), (119, 60), (3600, 3600)):
        dashboard_sessions.find(house.services, token, began + timedelta(seconds=after_s))
        assert rows(house)[0].last_seen_at == began + timedelta(seconds=noted_s)
    assert noted == [60, 3600]


def test_a_cookie_of_an_earlier_version_leads_to_the_login(house: House) -> None:
    ada = house.person("ada")
    ada.get("/dashboard/login")
    with house.services.read() as session:
        user = session.scalars(select(User).where(User.email == ada.email)).one()
    with ada.client.session_transaction(path="/dashboard") as cookie:
        cookie["_user_id"] = f"{user.id}.0123456789abcdef"
    assert not gets_in(ada)
    assert ada.log_in().status_code == 303


def test_a_login_under_way_does_not_outlive_a_new_password(house: House, ada: Person) -> None:
    """Its old password was checked a moment before the new one was set."""
    with house.services.read() as session:
        user = session.scalars(select(User).where(User.email == ada.email)).one()
    users.set_password(house.services, ada.email, NEW)
    late = dashboard_sessions.begin(
        house.services, user.id, password_hash=user.password_hash, browser="Firefox"
    )
    assert late is None
    with pytest.raises(Problem) as refused:
        users.set_password(house.services, ada.email, PASSWORD, known_hash=user.password_hash)
    assert refused.value.code == "not_allowed"
    assert rows(house) == []


def test_a_live_ticket_names_the_session_it_was_given_to(house: House, ada: Person) -> None:
    ticket = ada.client.post(
        "/dashboard/live-tickets", json={}, headers={"X-CSRFToken": ada.token}
    ).json["ticket"]  # type: ignore[index]
    listener = auth.redeem_live_ticket(house.services, ticket)
    (row,) = rows(house)
    assert listener is not None
    assert listener.session_id == row.id
    assert dashboard_sessions.is_open(house.services, row.id, now())
    assert not dashboard_sessions.is_open(house.services, row.id, row.expires_at)
    log_out(house, ada)
    assert not dashboard_sessions.is_open(house.services, row.id, now())


# --- the page ------------------------------------------------------------------------------------


def test_ada_sees_where_she_is_logged_in_and_ends_one(house: House, ada: Person) -> None:
    other = second_browser(house)
    _, row = rows(house)
    house.add(
        DashboardSession(
            user_id=row.user_id, token_hash="-", browser="Opera on Linux", expires_at=now()
        )
    )
    page = ada.get("/dashboard/account").text
    assert "ada@example.com, owner of Linden &amp; Rye" in page
    assert page.count('<span class="tag">This browser</span>') == 1
    assert "Firefox on Windows" in page
    assert "Opera on Linux" not in page
    ended = ada.post(f"/dashboard/account/sessions/{row.id}/end")
    assert (ended.status_code, ended.location) == (303, "/dashboard/account")
    assert "Firefox on Windows is logged out." in ada.get("/dashboard/account").text
    assert (gets_in(ada), gets_in(other)) == (True, False)


def test_ada_logs_out_everywhere_else(house: House, ada: Person, ben: Person) -> None:
    others = [second_browser(house) for _ in range(2)]
    ada.get("/dashboard/account")
    assert ada.post("/dashboard/account/sessions/end-others").status_code == 303
    assert [gets_in(person) for person in (ada, ben, *others)] == [True, True, False, False]


def test_nobody_ends_or_sees_anothers_session(house: House, ada: Person) -> None:
    (row,) = rows(house, ada)
    for person in (second_browser(house, "ben"), second_browser(house, "cleo")):
        page = person.get("/dashboard/account").text
        assert row.id not in page
        assert ada.email not in page
        for session_id in (row.id, "ses_0"):
            person.get("/dashboard/account")
            answer = person.post(f"/dashboard/account/sessions/{session_id}/end")
            assert answer.status_code == 404
        person.get("/dashboard/account")
        assert person.post("/dashboard/account/sessions/end-others").status_code == 303
    assert gets_in(ada)


def test_a_change_needs_a_csrf_token_and_a_login(house: House, ada: Person) -> None:
    (row,) = rows(house)
    said = {"old": PASSWORD, "new": NEW, "again": NEW}
    for path in ("password", "sessions/end-others", f"sessions/{row.id}/end"):
        assert ada.client.post(f"/dashboard/account/{path}", data=said).status_code == 400
        nobody = house.app.test_client().post(f"/dashboard/account/{path}", data=said)
        assert (nobody.status_code, nobody.location) == (303, "/dashboard/login")
    assert gets_in(ada)
    assert house.person("ada").log_in().status_code == 303


def test_ada_changes_her_password_and_stays(house: House, ada: Person) -> None:
    other = second_browser(house)
    answer = change(ada)
    assert (answer.status_code, answer.location) == (303, "/dashboard/account")
    assert "Your password is changed." in ada.get("/dashboard/account").text
    assert (gets_in(ada), gets_in(other)) == (True, False)
    assert len(rows(house, ada)) == 1
    assert house.person("ada").log_in().status_code == 401
    assert house.person("ada").log_in(password=NEW).status_code == 303


REFUSED = [
    ({"old": "not her password"}, "This is not your password."),
    ({"old": ""}, "This is not your password."),
    ({"new": "too short", "again": "too short"}, "at least 10 characters"),
    ({"new": "x" * 257, "again": "x" * 257}, "at most 256 characters"),
    ({"again": "something else"}, "These two differ."),
]


def test_what_is_no_new_password_changes_and_ends_nothing(house: House, ada: Person) -> None:
    other = second_browser(house)
    for said, sentence in REFUSED:
        answer = change(ada, **said)
        assert answer.status_code == 422
        assert sentence in answer.text
    assert gets_in(other)
    assert house.person("ada").log_in().status_code == 303


def test_a_wrong_old_password_counts_as_a_try_at_the_login(house: House, ada: Person) -> None:
    tries = [change(ada, old=f"guess {n}").status_code for n in range(10)]
    assert tries[0] == 422
    assert tries[-1] == 429  # her own login was the first of ten
    assert house.person("ada").log_in().status_code == 429


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (FIREFOX, "Firefox on Windows"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
            "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like "
            "Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
            "Edge on macOS",
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/140.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) Chrome/140.0.0.0", "Chrome on ChromeOS"),
        ("curl/8.5.0", "Another browser"),
        ("<script>alert(1)</script> Linux", "Another browser on Linux"),
        ("", "Another browser"),
    ],
)
def test_a_browser_in_words(user_agent: str, words: str) -> None:
    assert browsers.in_words(user_agent) == words

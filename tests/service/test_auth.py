"""Logins, locks, invitations and tokens."""

from __future__ import annotations

from datetime import timedelta

import pytest
from conftest import Service
from sqlalchemy import select, update

from matcher.errors import KithError
from service import auth
from service.audit_log import verify
from service.auth import LoginError
from service.database.base import utc_now
from service.database.tables import ApiToken, LoginSession, User
from service.installation import add_user, change_user, make_token
from service.permissions import Permission, Role

PASSWORD = "three plain words"
EMAIL = "coordinator@north.invalid"


@pytest.fixture
def coordinator(service: Service) -> str:
    user = service.users["north", Role.COORDINATOR]
    with service.database.write() as session:
        auth.set_password(session.get_one(User, user), PASSWORD)
    return user


def log_in(service: Service, password: str = PASSWORD, email: str = EMAIL) -> int:
    answer = service.client.post("/api/v1/session", json={"email": email, "password": password})
    return answer.status_code


def test_a_login_by_password(service: Service, coordinator: str) -> None:
    assert log_in(service, email="Coordinator@North.invalid") == 200
    cookie = service.client.cookies["kith_session"]
    assert service.client.get("/api/v1/session").json()["user"] == coordinator
    with service.database.read() as session:
        kept = session.scalars(select(LoginSession.id)).all()
        password = session.get_one(User, coordinator).password or ""
    assert cookie not in kept
    assert password.startswith("$argon2id$")
    with service.database.read() as session:
        assert verify(session, service.keys).entries == 1


def test_the_cookie_is_kept_from_scripts_and_from_other_sites(service: Service, coordinator: str) -> None:
    answer = service.client.post("/api/v1/session", json={"email": EMAIL, "password": PASSWORD})
    attributes = answer.headers["Set-Cookie"]
    assert "HttpOnly" in attributes
    assert "SameSite=lax" in attributes


def test_wrong_passwords_lock_for_a_while(service: Service, coordinator: str) -> None:
    assert [log_in(service, "wrong") for _ in range(5)] == [401] * 5
    assert log_in(service) == 401  # the right one, and too late
    with service.database.write() as session:
        session.execute(update(User).where(User.id == coordinator).values(locked_until=utc_now()))
    assert log_in(service) == 200


def test_a_right_password_forgets_the_wrong_ones(service: Service, coordinator: str) -> None:
    for _ in range(2):
        assert [log_in(service, "wrong") for _ in range(4)] == [401] * 4
        assert log_in(service) == 200


def test_nobody_learns_which_accounts_there_are(service: Service, coordinator: str) -> None:
    answers = [
        service.client.post("/api/v1/session", json={"email": email, "password": "wrong"}).json()["detail"]
        for email in (EMAIL, "nobody@north.invalid", "manager@north.invalid")  # right, none, without a password
    ]
    assert len(set(answers)) == 1


def test_a_login_dies_at_once_when_the_account_is_disabled(service: Service, coordinator: str) -> None:
    assert log_in(service) == 200
    with service.database.write(service.north) as session:
        token = auth.make_token(
            session, service.keys, session.get_one(User, coordinator), name="report", scopes=[Permission.SELF],
            days=1,
        )  # fmt: skip
    bearer = {"Authorization": f"Bearer {token}"}
    assert service.client.get("/api/v1/session").status_code == 200
    assert service.client.get("/api/v1/session", headers=bearer).status_code == 200
    with service.database.write(service.north) as session:
        auth.disable(session, service.keys, session.get_one(User, coordinator), by="U1")
    assert service.client.get("/api/v1/session").status_code == 401
    assert service.client.get("/api/v1/session", headers=bearer).status_code == 401
    assert log_in(service) == 401


@pytest.mark.parametrize(("seen_ago", "ends_in", "status"), [(29, 1, 200), (31, 1, 401), (1, -1, 401)])
def test_a_login_ends_by_idleness_and_by_the_day(
    service: Service, coordinator: str, seen_ago: int, ends_in: int, status: int
) -> None:
    assert log_in(service) == 200
    seen, ends = utc_now() - timedelta(minutes=seen_ago), utc_now() + timedelta(minutes=ends_in)
    with service.database.write() as session:
        session.execute(update(LoginSession).values(seen_at=seen, ends_at=ends))
    assert service.client.get("/api/v1/session").status_code == status


def test_a_token_may_what_its_scopes_say_and_needs_no_cookie(service: Service, coordinator: str) -> None:
    with service.database.write(service.north) as session:
        user = session.get_one(User, coordinator)
        token = auth.make_token(session, service.keys, user, name="report", scopes=[Permission.READ], days=1)
        with pytest.raises(KithError, match="may not users"):
            auth.make_token(session, service.keys, user, name="x", scopes=[Permission.USERS], days=1)
    bearer = {"Authorization": f"Bearer {token}"}
    assert service.client.get("/api/v1/children", headers=bearer).status_code == 200
    assert service.client.delete("/api/v1/session", headers=bearer).status_code == 403
    page = service.client.get("/api/v1/children", headers=bearer).json()
    assert {line["reference"] for line in page["children"]} == {None}  # `identify` is not among its scopes
    with service.database.write() as session:
        session.execute(update(ApiToken).values(expires_at=utc_now()))
    assert service.client.get("/api/v1/children", headers=bearer).status_code == 401


def test_an_invitation_is_good_once_and_for_a_while(service: Service) -> None:
    secret = add_user(service.database, service.keys, service.north, "new@north.invalid", "New", Role.MANAGER)
    with service.database.write(service.north) as session:
        with pytest.raises(KithError, match="12 letters"):
            auth.accept(session, service.keys, secret, "short")
        auth.accept(session, service.keys, secret, PASSWORD)
    assert log_in(service, email="new@north.invalid") == 200
    with pytest.raises(LoginError), service.database.write(service.north) as session:
        auth.accept(session, service.keys, secret, PASSWORD)
    late = add_user(service.database, service.keys, service.north, "late@north.invalid", "Late", Role.MANAGER)
    with service.database.write() as session:
        session.execute(update(User).values(invited_until=utc_now() - timedelta(seconds=1)))
    with pytest.raises(LoginError), service.database.write(service.north) as session:
        auth.accept(session, service.keys, late, PASSWORD)


def test_a_new_password_ends_every_login(service: Service, coordinator: str) -> None:
    assert log_in(service) == 200
    change_user(service.database, service.keys, EMAIL, password="another three words")
    assert service.client.get("/api/v1/session").status_code == 401


def test_tokens_are_made_listed_and_revoked_by_their_owner(service: Service) -> None:
    desk, other = service.as_(Role.COORDINATOR), service.as_(Role.MANAGER)
    made = desk.post("/api/v1/tokens", json={"name": "report", "scopes": ["read", "self"], "days": 7})
    assert made.status_code == 201
    bearer = {"Authorization": f"Bearer {made.json()['token']}"}
    assert service.client.get("/api/v1/children", headers=bearer).status_code == 200
    assert service.client.get("/api/v1/children/C22222222222/person", headers=bearer).status_code == 403
    line = desk.get("/api/v1/tokens").json()["tokens"][0]
    assert (line["name"], line["scopes"]) == ("report", ["read", "self"])
    assert made.json()["token"] not in desk.get("/api/v1/tokens").text
    more = service.client.post("/api/v1/tokens", json={"name": "more", "scopes": ["read"]}, headers=bearer)
    assert more.status_code == 403  # no token makes another
    beyond = desk.post("/api/v1/tokens", json={"name": "more", "scopes": ["policy"]})
    assert beyond.status_code == 422
    assert other.get("/api/v1/tokens").json()["total"] == 0
    assert other.delete(f"/api/v1/tokens/{line['id']}").status_code == 404
    assert desk.delete(f"/api/v1/tokens/{line['id']}").status_code == 204
    assert service.client.get("/api/v1/children", headers=bearer).status_code == 401
    assert desk.get("/api/v1/tokens").json() == {"total": 0, "page": 1, "tokens": []}
    with service.database.read(service.north) as session:
        assert verify(session, service.keys).problem is None


def test_the_command_makes_a_token_within_what_the_account_may(service: Service) -> None:
    def made(*scopes: str) -> str:
        return make_token(service.database, service.keys, EMAIL, name="report", scopes=scopes, days=1)

    bearer = {"Authorization": f"Bearer {made('read')}"}
    assert service.client.get("/api/v1/children", headers=bearer).status_code == 200
    for wrong in ((), ("policy",), ("everything",)):
        with pytest.raises(KithError):
            made(*wrong)


@pytest.mark.parametrize("email", ["nobody", "@north.invalid", "two@at@signs", EMAIL, EMAIL.upper()])
def test_an_address_that_is_none_or_taken_is_refused(service: Service, email: str) -> None:
    with pytest.raises(KithError):
        add_user(service.database, service.keys, service.north, email, "X", Role.MANAGER)

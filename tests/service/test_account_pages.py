"""Accounts by the pages: invited, a password chosen by a link that is good once, closed."""

from __future__ import annotations

import re

from conftest import Service

from service.permissions import Role

HTML = {"Accept": "text/html"}
PASSWORD = "three words together"


def invited(service: Service, **changed: str) -> str:
    form = {"name": "Somebody New", "email": "new@north.invalid", "role": "coordinator", **changed}
    return service.as_(Role.ADMINISTRATOR).post("/users", data=form, headers=HTML).text


def test_somebody_is_invited_chooses_a_password_and_signs_in(service: Service) -> None:
    page = invited(service)
    assert "Somebody New" in page
    found = re.search(r"<code>https?://[^/]+(/welcome/[\w-]+)</code>", page)
    assert found is not None
    link = found[1]
    assert link not in service.as_(Role.ADMINISTRATOR).get("/users", headers=HTML).text  # shown once
    assert "Choose a password" in service.client.get(link, headers=HTML).text
    short = service.client.post(link, data={"password": "short"}, headers=HTML)
    assert short.status_code == 422
    assert "12 letters or more" in short.text
    assert "Your password is saved" in service.client.post(link, data={"password": PASSWORD}, headers=HTML).text
    assert "not good any more" in service.client.post(link, data={"password": PASSWORD}, headers=HTML).text
    form = {"email": "new@north.invalid", "password": PASSWORD}
    answer = service.client.post("/sign-in", data=form, headers=HTML, follow_redirects=False)
    assert answer.status_code == 303
    service.client.cookies.clear()


def test_an_invitation_that_cannot_be_says_why_and_keeps_what_was_typed(service: Service) -> None:
    for changed, told in (
        ({"name": " "}, "Give a name"),
        ({"role": "owner"}, "choose a role"),
        ({"email": "nobody"}, "not an email address"),
        ({"email": "manager@south.invalid"}, "already"),
    ):
        page = invited(service, **changed)
        assert told in page
        assert "new@north.invalid" in page or "email" in changed


def test_a_closed_account_is_signed_out_and_nobody_closes_their_own_or_anothers(service: Service) -> None:
    coordinator, administrator = service.as_(Role.COORDINATOR), service.as_(Role.ADMINISTRATOR)
    assert coordinator.get("/children", headers=HTML).status_code == 200
    north, south = service.users["north", Role.COORDINATOR], service.users["south", Role.COORDINATOR]
    administrator.post(f"/users/{north}/close", headers=HTML)
    assert coordinator.get("/children", headers=HTML, follow_redirects=False).status_code == 303
    assert administrator.post(f"/users/{south}/close", headers=HTML).status_code == 404
    own = administrator.post(f"/users/{service.users['north', Role.ADMINISTRATOR]}/close", headers=HTML)
    assert "your own account" in own.text
    assert administrator.get("/users", headers=HTML).status_code == 200

"""Accounts by the pages: invited, a password chosen by a link that is good once, given another role, closed."""

from __future__ import annotations

import re
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from browser import Site
from conftest import Service
from sqlalchemy import select

import service as service_package
from matcher.errors import KithError
from service import audit_log, auth
from service.database.tables import AuditEvent, User
from service.pages.accounts import SAID
from service.pages.html import clock, moment
from service.pages.log import DONE, KINDS
from service.permissions import Permission, Role

HTML = {"Accept": "text/html"}
PASSWORD = "three words together"


def invited(service: Service, **changed: str) -> str:
    form = {"name": "Somebody New", "email": "new@north.invalid", "role": "coordinator", **changed}
    return service.as_(Role.ADMINISTRATOR).post("/users", data=form, headers=HTML).text


def test_somebody_is_invited_chooses_a_password_and_signs_in(service: Service) -> None:
    page = invited(service)
    assert "Somebody New has an account." in page
    found = re.search(r'value="https?://[^/]+(/welcome/[\w-]+)"', page)
    assert found is not None
    link = found[1]
    assert link not in service.as_(Role.ADMINISTRATOR).get("/users", headers=HTML).text  # shown once
    assert "Choose a password" in service.client.get(link, headers=HTML).text
    short = service.client.post(link, data={"password": "short"}, headers=HTML)
    assert short.status_code == 422
    assert "12 letters or more" in short.text
    assert "Your password is saved" in service.client.post(link, data={"password": PASSWORD}, headers=HTML).text
    for again in (service.client.post(link, data={"password": PASSWORD}, headers=HTML),
                  service.client.get(link, headers=HTML)):  # fmt: skip
        assert (again.status_code, "This link was used" in again.text) == (410, True)
        assert 'name="password"' not in again.text  # nobody types one in vain
    form = {"email": "new@north.invalid", "password": PASSWORD}
    answer = service.client.post("/sign-in", data=form, headers=HTML, follow_redirects=False)
    assert answer.status_code == 303
    service.client.cookies.clear()


def test_an_invitation_that_cannot_be_says_why_and_keeps_what_was_typed(service: Service) -> None:
    every = {"name": "Give a name.", "role": "Choose a role.", "email": "That is not an email address."}
    for changed, told in (
        ({"name": " "}, {"name"}),
        ({"role": "owner"}, {"role"}),
        ({"email": "nobody"}, {"email"}),
        ({"name": "", "email": "nobody", "role": ""}, {"name", "email", "role"}),
    ):
        page = invited(service, **changed)
        assert {field for field, said in every.items() if f'<a href="#{field}">{said}' in page} == told
        assert {field for field in every if f'id="{field}-error"' in page} == told
        assert "new@north.invalid" in page or "email" in changed
    assert '<a href="#email">There is an account with that address already' in invited(
        service, email="manager@south.invalid"
    )


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


def test_closing_asks_first_and_says_what_it_means(service: Service) -> None:
    administrator, user = service.as_(Role.ADMINISTRATOR), service.users["north", Role.COORDINATOR]
    own, other = (service.users[where, Role.ADMINISTRATOR] for where in ("north", "south"))
    listed = administrator.get("/users", headers=HTML).text
    assert f'href="/users/{user}/close"' in listed
    assert f'action="/users/{user}/close"' not in listed  # no account is closed from the list by one click
    page = administrator.get(f"/users/{user}/close", headers=HTML).text
    assert "Close this account?" in page
    assert "coordinator of north" in page
    assert "They are signed out at once" in page
    assert "Close the account</button>" not in administrator.get(f"/users/{own}/close", headers=HTML).text
    assert administrator.get(f"/users/{other}/close", headers=HTML).status_code == 404
    with service.database.read() as session:
        assert session.get_one(User, user).disabled_at is None  # asking closes nothing
    done = administrator.post(f"/users/{user}/close", headers=HTML).text
    assert "The account of coordinator of north is closed." in done
    closed = administrator.get(f"/users/{user}/close", headers=HTML).text
    assert "invite the person anew" in closed
    assert "<button" not in closed.partition("<main")[2].partition("</main>")[0]


def test_a_closed_account_is_opened_again_by_a_new_invitation_and_by_nothing_of_before(service: Service) -> None:
    user = service.users["north", Role.COORDINATOR]
    with service.database.write(service.north) as session:
        account = session.get_one(User, user)
        auth.set_password(account, PASSWORD)
        scopes = [Permission.READ]
        token = auth.make_token(session, service.keys, account, name="x", scopes=scopes, days=9)
    service.as_(Role.ADMINISTRATOR).post(f"/users/{user}/close", headers=HTML)
    again = {"name": "Back Again", "email": "Coordinator@north.invalid", "role": "auditor"}
    assert "already" in service.as_(Role.ADMINISTRATOR, "south").post("/users", data=again, headers=HTML).text
    page = invited(service, **again)
    assert "The account of Back Again is open again." in page
    assert "has an account" not in page
    found = re.search(r'value="https?://[^/]+(/welcome/[\w-]+)"', page)
    assert found is not None
    with service.database.read(service.north) as session:
        account = session.get_one(User, user)  # the same row: what was done by it stays one person's
        assert (account.role, account.disabled_at, account.password) == ("auditor", None, None)
        assert auth.by_token(session, token) is None
        entry = session.scalars(select(AuditEvent).where(AuditEvent.subject == user)).all()[-1]
    assert (entry.action, entry.details) == ("open user again", {"from": "coordinator", "to": "auditor"})
    sign_in = {"email": "coordinator@north.invalid", "password": PASSWORD}
    assert service.client.post("/sign-in", data=sign_in, headers=HTML, follow_redirects=False).status_code == 401
    chosen = service.client.post(found[1], data={"password": "another three words"}, headers=HTML)
    assert "Your password is saved" in chosen.text
    sign_in["password"] = "another three words"
    assert service.client.post("/sign-in", data=sign_in, headers=HTML, follow_redirects=False).status_code == 303
    service.client.cookies.clear()
    assert "already" in invited(service, **again)  # it is open now
    assert "Opened an account again" in service.as_(Role.AUDITOR).get("/log?kind=user", headers=HTML).text


# ---- another role ----------------------------------------------------------------------------------------------------


def role_form(**changed: str) -> dict[str, str]:
    return {"was": "coordinator", "role": "manager", "reason": "other duties", **changed}


def role_of(service: Service, user_id: str) -> str:
    with service.database.read() as session:
        return session.get_one(User, user_id).role


def test_a_role_is_changed_and_whoever_has_it_is_signed_out_at_once(service: Service) -> None:
    coordinator, administrator = service.as_(Role.COORDINATOR), service.as_(Role.ADMINISTRATOR)
    user = service.users["north", Role.COORDINATOR]
    form = administrator.get(f"/users/{user}/role", headers=HTML).text
    assert "They are <strong>a coordinator</strong> now" in form
    assert 'value="coordinator"' not in form.partition("From now on")[2]  # the role that they have is no choice
    assert "Read the audit log; give accounts and roles." in form
    page = administrator.post(f"/users/{user}/role", data=role_form(), headers=HTML).text
    assert "coordinator of north is a manager now" in page
    assert coordinator.get("/children", headers=HTML, follow_redirects=False).status_code == 303
    assert role_of(service, user) == "manager"
    with service.database.read(service.north) as session:
        entry = session.scalars(select(AuditEvent).where(AuditEvent.subject == user)).all()[-1]
    assert (entry.action, entry.reason) == ("change role of user", "other duties")
    assert entry.details == {"from": "coordinator", "to": "manager"}
    assert "Gave an account another role (other duties)" in administrator.get("/log?kind=user", headers=HTML).text


def test_a_token_does_no_more_than_the_new_role_may(service: Service) -> None:
    user = service.users["north", Role.MANAGER]
    with service.database.write(service.north) as session:
        scopes = [Permission.READ, Permission.POLICY]
        token = auth.make_token(session, service.keys, session.get_one(User, user), name="x", scopes=scopes, days=9)
    service.as_(Role.ADMINISTRATOR).post(f"/users/{user}/role", data=role_form(was="manager", role="coordinator"))
    with service.database.read() as session:
        person = auth.by_token(session, token)
    assert person is not None
    assert person.may == {Permission.READ}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"role": ""}, "Choose a role."),
        ({"role": "owner"}, "Choose a role."),
        ({"role": "coordinator"}, "Their role is coordinator already."),
        ({"reason": ""}, "Choose why the role is another"),
        ({"reason": "because"}, "Choose why the role is another"),
        ({"was": "auditor"}, "Somebody changed the role meanwhile: it is coordinator now."),
    ],
)
def test_a_role_that_cannot_be_given_says_why_and_keeps_what_was_chosen(
    service: Service, changed: dict[str, str], told: str
) -> None:
    user, administrator = service.users["north", Role.COORDINATOR], service.as_(Role.ADMINISTRATOR)
    answer = administrator.post(f"/users/{user}/role", data=role_form(**changed), headers=HTML)
    assert answer.status_code == 422
    assert told in answer.text
    assert role_of(service, user) == "coordinator"
    if changed.get("reason") != "because" and "role" not in changed:
        assert re.search(r'value="manager" checked', answer.text)


def test_nobody_changes_their_own_role_nor_an_account_that_is_closed_or_anothers(service: Service) -> None:
    administrator, own = service.as_(Role.ADMINISTRATOR), service.users["north", Role.ADMINISTRATOR]
    answer = administrator.post(f"/users/{own}/role", data=role_form(was="administrator"), headers=HTML)
    assert "your own account" in answer.text
    assert "another administrator can" in administrator.get(f"/users/{own}/role", headers=HTML).text
    assert f"/users/{own}/role" not in administrator.get("/users", headers=HTML).text
    south = service.users["south", Role.COORDINATOR]
    assert administrator.get(f"/users/{south}/role", headers=HTML).status_code == 404
    assert administrator.post(f"/users/{south}/role", data=role_form(), headers=HTML).status_code == 404
    closed = service.users["north", Role.COORDINATOR]
    administrator.post(f"/users/{closed}/close", headers=HTML)
    assert "closed" in administrator.post(f"/users/{closed}/role", data=role_form(), headers=HTML).text
    assert [role_of(service, one) for one in (own, south, closed)] == ["administrator", "coordinator", "coordinator"]


def test_the_last_administrator_keeps_the_role_though_two_take_each_others_at_once(service: Service) -> None:
    """Of an authority: the administrator of another one could not help them."""
    one, other = service.users["north", Role.ADMINISTRATOR], service.users["north", Role.ANALYST]
    together, told = Barrier(2), []
    with service.database.write() as session:
        second: Any = session.get_one(User, other)
        second.role = Role.ADMINISTRATOR

    def take(user: str, by: str, close: bool) -> None:
        together.wait()
        try:
            with service.database.write() as session:
                other: Any = session.get_one(User, user)
                if close:
                    auth.refuse_last_administrator(session, other)
                    auth.disable(session, service.keys, other, by=by)
                else:
                    auth.change_role(session, service.keys, other, Role.AUDITOR, by=by, reason="other duties")
        except KithError as error:
            told.append(str(error))

    both = [Thread(target=take, args=(one, other, True)), Thread(target=take, args=(other, one, False))]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert told == ["This is the last administrator. Make somebody else one first."]
    with service.database.read() as session:
        able = User.role == "administrator", User.disabled_at.is_(None), User.authority_id == service.north
        left = session.scalars(select(User.id).where(*able)).all()
    assert len(left) == 1
    with service.database.write() as session, pytest.raises(KithError, match="last administrator"):
        last: Any = session.get_one(User, left[0])
        auth.change_role(session, service.keys, last, Role.AUDITOR, by="a command", reason="other duties")


def test_every_permission_is_told_to_who_gives_a_role(service: Service) -> None:
    assert set(SAID) == set(Permission) - {Permission.SELF}
    page = service.as_(Role.ADMINISTRATOR).get("/users", headers=HTML).text
    assert "Tell people" not in page.partition("<dt>Coordinator</dt>")[2].partition("</div>")[0]
    assert "Put a policy in force" in page


def entered() -> set[str]:
    """The actions that Kith enters in its log, but for readings."""
    source = "".join(file.read_text(encoding="utf-8") for file in Path(service_package.__file__).parent.rglob("*.py"))
    found = set(re.findall(r'Entry\(\s*[\w.]+(?:\([^)]*\))?(?: or [^,]*)?, "([a-z: ]+)"', source)) - {"read"}
    assert len(found) > 30
    return found


def test_whatever_is_entered_in_the_log_is_said_as_what_somebody_did() -> None:
    assert entered() - set(DONE) == set()


def test_whatever_is_entered_in_the_log_is_found_under_one_kind_of_things(service: Service) -> None:
    actions = {*DONE, *entered(), "read", "decision: propose", "decision: a step of before"}
    with service.database.write(service.north) as session:
        for action in sorted(actions):
            audit_log.record(session, service.keys, audit_log.Entry("a command", action, "", f"“{action}”"))
    auditor = service.as_(Role.AUDITOR)
    pages = {kind: auditor.get(f"/log?kind={kind}", headers=HTML).text for kind in KINDS}
    assert not [kind for kind, page in pages.items() if 'rel="next"' in page]  # each has all of its own
    under = {kind: {one for one in actions if f"“{one}”" in page} for kind, page in pages.items()}
    assert sorted(one for some in under.values() for one in some) == sorted(actions)
    assert under["user"] == {
        "invite user", "open user again", "disable user", "change role of user", "choose password", "set password",
        "bind account", "make token", "revoke token",
    }  # fmt: skip
    assert under["standing"] == {"volunteer status"}
    assert not {one for one in under["import"] if "files" in one}  # what was looked at alone is not taken in


def test_the_log_tells_a_number_as_it_is_and_of_records_how_many(service: Service) -> None:
    """An import counts its rows, a suspension names the visits that it paused."""
    with service.database.write(service.north) as session:
        for details in ({"children": 3, "matches": 0}, {"paused": ["M3HG8K5QWN2P"], "withdrawn": []}):
            audit_log.record(session, service.keys, audit_log.Entry("a command", "import", "", details=details))
    page = service.as_(Role.AUDITOR).get("/log", headers=HTML)
    assert page.status_code == 200
    assert "children: 3; matches: 0" in page.text
    assert "matches paused: one record</span></td>" in page.text
    assert "proposals withdrawn" not in page.text  # nobody: nothing is said of it


def test_the_log_says_steps_and_details_as_a_person_would(service: Service) -> None:
    user = service.users["north", Role.MANAGER]
    entries = (
        ("decision: propose", {"state": "proposed", "by": "authority"}),
        ("decision: ask_volunteer", {"state": "volunteer considers", "by": "authority"}),
        ("import", {"weakened": 2}),
        ("run", {"status": "OPTIMAL", "matches": 7}),
        ("volunteer status", {"status before": "approved", "status": "suspended", "break the rule": []}),
        ("change child", {"fields": ["culture_request", "miles_from_home"]}),
        (
            "import",
            {"children": 2, "confirmed": ["children agrees: 4d7f0a", "children agrees: 5c", "exceptions kind: 6"]},
        ),
        ("import: change volunteer", {"import": "I42858MC3W4Z", "weakened": ["drives: 4d7f0a"]}),
        ("policy in force", {"number": 2, "hash": "4d7f0a"}),
        ("commit budget", {"code": "E06000061", "pence": 5926, "match": "M3HG8K5QWN2P"}),
        ("import: change child", {"fields": ["metres_from_home"], "agrees before": "no", "agrees": "yes"}),
    )
    with service.database.write(service.north) as session:
        for action, details in entries:
            audit_log.record(session, service.keys, audit_log.Entry(user, action, "", details=details))
    page = " ".join(service.as_(Role.AUDITOR).get("/log", headers=HTML).text.split())
    for told in (
        "Decision: proposed", "Decision: the volunteer was asked", "stands as: proposed; on whose word: authority",
        "how good the plan is: no better plan exists; matches: 7",
        "stood as: approved; stands as: suspended</span></td>",
        "safeguards that weakened: 2", "Changed facts of a child", "A visitor of like culture; Distance from home",
        "confirmed one by one: children: Agrees to have a visitor (2 times); exceptions: Kind</span></td>",
        ">I42858MC3W4Z</a>; safeguards that weakened: Drives the child</span></td>", "version: 2</span></td>",
        "council: North Northamptonshire; a year’s cost: £59.26; match: ",
        'by import: import <a class="govuk-link" href="/log?subject=I42858MC3W4Z&days=0">I42858MC3W4Z</a>',
        "Changed facts of a child by a file", "the child said before: no; the child says: yes",
    ):  # fmt: skip
        assert told in page
    assert "4d7f0a" not in page  # a seal says nothing to a person
    assert "<code>" not in page  # nor does a command to who has no command line
    roles = service.as_(Role.ADMINISTRATOR).get("/users", headers=HTML).text.partition("What each role may do")[2]
    assert "opaque" not in roles
    told_of = re.findall(r"<dt>(\w+)</dt><dd>(.*?)</dd>", roles)
    of = {role: " ".join(re.findall("<li>(.*?)</li>", said)).lower() for role, said in told_of}
    assert "see everybody’s records change records and import" in of["Coordinator"]
    assert "see records in which nobody is named" in of["Analyst"]
    assert {role for role, said in of.items() if "publish plans" in said} == {"Coordinator", "Manager"}
    assert {role for role, said in of.items() if "approve and suspend volunteers" in said} == {"Coordinator", "Manager"}
    assert {role for role, said in of.items() if "let a volunteer visit again" in said} == {"Manager"}
    assert "download past decisions in which nobody is named" in of["Analyst"]


def test_the_link_of_an_invitation_is_copied_by_a_button_and_says_until_when_it_holds(site: Site) -> None:
    for script in (True, False):
        page = site.page(Role.ADMINISTRATOR, script=script)
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.goto(f"{site.at}/users")
        email = f"script-{script}@north.invalid".lower()
        page.fill("#name", "Somebody New")
        page.fill("#email", email)
        page.select_option("#role", "coordinator")
        page.get_by_role("button", name="Invite").click()
        told, field = page.locator(".kith-saved"), page.get_by_label("The link for Somebody New")
        with site.kith.database.read() as session:
            until = session.scalars(select(User.invited_until).where(User.email == email)).one()
        assert f"It is good once, until {moment(until)}" in told.inner_text()
        assert "/welcome/" in field.input_value()
        assert f"the link holds until {clock(until)}" in page.locator("table").inner_text()
        copy = page.locator("[data-copy]")
        assert copy.is_visible() == script
        if script:
            copy.click()
            page.get_by_role("button", name="Copied").wait_for()
            assert page.evaluate("navigator.clipboard.readText()") == field.input_value()
        page.context.close()

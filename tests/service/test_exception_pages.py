"""The pages of exceptions and organisations: allowed, withdrawn and renamed by a manager, in a browser too."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from browser import HOSTILE, Site, faults
from conftest import Service
from service_rows import a_match
from sqlalchemy import select

from matcher.instance import today
from matcher.records import ExceptionKind
from service import exceptions, organisations
from service.database import tables
from service.permissions import Role
from service.repository import Repository
from service.workflow import LIVE, State

HTML = {"Accept": "text/html"}


def test_a_manager_allows_it_on_the_volunteers_page_and_takes_it_back(service: Service) -> None:
    """Which live matches break a rule by that is told at once; and why it was withdrawn stays on the page."""
    desk, manager, first = service.as_(Role.COORDINATOR), service.as_(Role.MANAGER), service.a_match()
    with service.database.read(service.north) as session:
        volunteer = session.get_one(tables.Match, first).volunteer_id
    new = f"/volunteers/{volunteer}/exceptions/new"
    assert "Allow an exception" not in desk.get(f"/volunteers/{volunteer}").text
    assert desk.get(new, headers=HTML).status_code == 403
    assert new in manager.get(f"/volunteers/{volunteer}").text
    allowed = manager.post(new, data={"kind": "second child", "reason": "The first ends in March"}, headers=HTML)
    page = allowed.text
    assert re.search(r"More than one child at a time</b> \(2 children at most\). Approved by manager of north", page)
    assert "“The first ends in March”" in page
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        exception = session.scalars(
            select(tables.RecordedException.id).where(tables.RecordedException.volunteer_id == volunteer)
        ).one()
        live = select(tables.Match.child_id).where(tables.Match.state.in_(LIVE))
        free = tables.Child.id.not_in(live), ~tables.Child.objects, tables.Child.referral
        child = session.scalars(select(tables.Child).where(*free)).first()
        assert child is not None
        second = a_match(session, child, rows.volunteer(volunteer), State.ACTIVE, place=1).id
        reference = child.reference
    withdraw = f"/exceptions/{exception}/withdraw"
    assert withdraw not in desk.get(f"/volunteers/{volunteer}").text
    form = manager.get(withdraw, headers=HTML).text
    version = re.search(r'name="version" value="(\d+)"', form)
    assert version is not None
    unsaid = manager.post(withdraw, data={"version": version[1], "reason": " "}, headers=HTML)
    assert (unsaid.status_code, "Say why" in unsaid.text) == (422, True)
    moved = manager.post(withdraw, data={"version": "9", "reason": "Less time"}, headers=HTML)
    assert (moved.status_code, "Less time</textarea>" in moved.text) == (422, True)
    done = manager.post(withdraw, data={"version": version[1], "reason": "Less time"}, headers=HTML)
    assert "2 live matches break a rule by it." in done.text
    for match in (first, second):
        assert f'href="/proposals/{match}"' in done.text
    assert reference in done.text
    told = manager.get(f"/volunteers/{volunteer}").text
    assert re.search(r"Withdrawn by manager of north on .*: “Less time”", told)
    assert withdraw not in told
    assert "It holds no longer" in manager.get(withdraw, headers=HTML).text


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "kind"),
        ({"kind": "second child", "children": "1"}, "children"),
        ({"kind": "second child", "children": "61"}, "children"),
        ({"kind": "second child", "children": "²"}, "children"),
        ({"kind": "shorter commitment"}, "months"),
        ({"kind": "relative as visitor", "child": "nobody"}, "child"),
        ({"kind": "second child", "reason": ""}, "reason"),
        ({"kind": "second child", "reason": "x" * 501}, "reason"),
    ],
)
def test_what_cannot_be_is_told_beside_its_field_and_nothing_typed_is_lost(
    service: Service, given: dict[str, str], field: str
) -> None:
    manager, volunteer = service.as_(Role.MANAGER), service.eligible_pair()[1]
    data = {"reason": "A reason to keep", **given}
    answer = manager.post(f"/volunteers/{volunteer}/exceptions/new", data=data, headers=HTML)
    assert answer.status_code == 422
    assert re.findall(r'<a href="#(\w+)">', answer.text) == [field]
    assert data["reason"] in answer.text
    with service.database.read(service.north) as session:
        mine = select(tables.RecordedException).where(tables.RecordedException.volunteer_id == volunteer)
        assert session.scalars(mine).all() == []


@pytest.mark.parametrize(("number", "asked"), [("3", False), ("45", True)])
def test_an_unusual_number_of_children_is_asked_about_once_and_not_refused(
    service: Service, number: str, asked: bool
) -> None:
    manager, volunteer = service.as_(Role.MANAGER), service.eligible_pair()[1]
    at, given = f"/volunteers/{volunteer}/exceptions/new", {"kind": "second child", "reason": "Why", "children": number}
    page = manager.post(at, data=given, headers=HTML, follow_redirects=False)
    assert (page.status_code, f"{number} children at a time is unusual" in page.text) == (
        (422, True) if asked else (303, False)
    )
    if asked:
        sent = {**given, **dict(re.findall(r'type="hidden" name="(meant)" value="(\w+)"', page.text))}
        other = manager.post(at, data={**sent, "children": "46"}, headers=HTML, follow_redirects=False)
        assert (other.status_code, "46 children" in other.text) == (422, True)  # another number than was warned of
        assert manager.post(at, data=sent, headers=HTML, follow_redirects=False).status_code == 303
    with service.database.read(service.north) as session:
        (one,) = session.scalars(
            select(tables.RecordedException).where(tables.RecordedException.volunteer_id == volunteer)
        )
        assert one.value == int(number)


def test_a_relative_is_allowed_by_the_childs_reference(service: Service) -> None:
    manager, (child, volunteer) = service.as_(Role.MANAGER), service.eligible_pair()
    with service.database.read(service.north) as session:
        reference = session.get_one(tables.Child, child).reference
    data = {"kind": "relative as visitor", "child": reference.lower(), "reason": "An aunt"}
    page = manager.post(f"/volunteers/{volunteer}/exceptions/new", data=data, headers=HTML).text
    assert f"A relative or friend of a child visits that child</b>: child {reference}." in page
    with service.database.read(service.north) as session:
        mine = select(tables.RecordedException).where(tables.RecordedException.volunteer_id == volunteer)
        assert [(one.child_id, one.value) for one in session.scalars(mine)] == [(child, None)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": "second child", "child": "{reference}"}, "A child is named only for a relative or friend"),
        ({"kind": "shorter commitment", "months": "6", "child": "{reference}"}, "A child is named only"),
        ({"kind": "relative as visitor", "child": "{reference}", "children": "3"}, "A number of children is given"),
    ],
)
def test_what_belongs_to_another_kind_of_exception_is_refused_and_taken_out(
    service: Service, given: dict[str, str], said: str
) -> None:
    """It was dropped unsaid: a manager who named a child believed that the exception was for that child alone."""
    manager, (child, volunteer) = service.as_(Role.MANAGER), service.eligible_pair()
    with service.database.read(service.north) as session:
        reference = session.get_one(tables.Child, child).reference
    data = {"reason": "Asked for", **{name: text.format(reference=reference) for name, text in given.items()}}
    new = f"/volunteers/{volunteer}/exceptions/new"
    refused = manager.post(new, data=data, headers=HTML)
    assert (refused.status_code, said in refused.text) == (422, True)
    inputs = re.findall(r'<input[^>]* id="(?:child|children|months)"[^>]*>', refused.text)
    kept = dict(re.search(r'name="(\w+)".* value="([^"]*)"', one).groups() for one in inputs if " value=" in one)  # type: ignore[union-attr]
    back = {**kept, "kind": data["kind"], "reason": data["reason"]}
    assert manager.post(new, data=back, headers=HTML).status_code == 200
    with service.database.read(service.north) as session:
        mine = select(tables.RecordedException).where(tables.RecordedException.volunteer_id == volunteer)
        assert [(one.kind, one.child_id is None) for one in session.scalars(mine)] == [
            (given["kind"], given["kind"] != "relative as visitor")
        ]


def test_an_organisation_is_renamed_and_who_is_concerned_is_told(service: Service) -> None:
    desk, match = service.as_(Role.COORDINATOR), service.a_match()
    user = service.users["north", Role.COORDINATOR]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        id = organisations.add(rows, "Bluebell Homes", user_id=user).id
        row = rows.match(match)
        child, volunteer = rows.child(row.child_id), rows.volunteer(row.volunteer_id)
        rows.write_child(child, replace(rows.child_record(child, True), provider=("bluebell homes",)))
        rows.write_volunteer(volunteer, replace(rows.volunteer_record(volunteer), organisations=("sunrise care",)))
    assert f'href="/organisations/{id}"' in desk.get("/organisations").text
    assert "/organisations" in desk.get("/volunteers").text
    form = {"version": "1", "name": "Sunrise Care"}
    assert "Write the name" in desk.post(f"/organisations/{id}", data={**form, "name": " "}, headers=HTML).text
    stale = desk.post(f"/organisations/{id}", data={**form, "version": "7"}, headers=HTML)
    assert (stale.status_code, "Somebody renamed it meanwhile" in stale.text) == (422, True)
    done = desk.post(f"/organisations/{id}", data=form, headers=HTML).text
    assert "One live match breaks a rule by it." in done
    assert f'href="/proposals/{match}"' in done
    page = desk.get("/organisations").text
    assert "Sunrise Care" in page
    assert "Bluebell Homes" in page


def test_these_pages_need_no_script_and_have_no_fault(site: Site) -> None:
    volunteer = site.volunteer
    with site.kith.database.write(site.north) as session:
        rows = Repository(session, site.kith.keys)
        managers = tables.User.role == Role.MANAGER, tables.User.authority_id == site.north
        user = session.scalars(select(tables.User.id).where(*managers)).one()
        one = exceptions.approve(
            rows, ExceptionKind.SECOND_CHILD, volunteer, None, 3, user_id=user, reason=f"{HOSTILE} {'x' * 200}"
        ).id
        provider = organisations.add(rows, "Y" + "y" * 60, user_id=user).id
    page = site.page(Role.MANAGER, script=False)
    page.goto(f"{site.at}/volunteers/{volunteer}")
    page.get_by_role("link", name="Allow an exception").click()
    page.get_by_role("button", name="Allow it").click()
    assert "Choose what you allow." in page.inner_text(".govuk-error-summary")
    page.get_by_label("A shorter commitment").check()
    page.get_by_label("How many months of commitment").fill("12")
    page.get_by_label("Why").fill(HOSTILE)
    page.get_by_role("button", name="Allow it").click()
    assert "12 months at least" in page.inner_text("main")
    page, found = site.page(Role.MANAGER), []
    for path in (f"/volunteers/{volunteer}", f"/volunteers/{volunteer}/exceptions/new", f"/exceptions/{one}/withdraw",
                 "/organisations", f"/organisations/{provider}"):  # fmt: skip
        found += faults(page, f"{site.at}{path}")
        assert page.evaluate("window.ran") is None
    page.goto(f"{site.at}/volunteers/{volunteer}/exceptions/new")
    page.get_by_role("button", name="Allow it").click()
    found += faults(page)
    page.goto(f"{site.at}/exceptions/{one}/withdraw")
    page.get_by_role("button", name="Withdraw it").click()
    found += faults(page)
    page.get_by_label("Why").fill("Less time")
    page.get_by_role("button", name="Withdraw it").click()
    assert "No live match breaks a rule by it." in page.inner_text("main")
    found += faults(page)
    assert found == []


@pytest.mark.parametrize("state", [State.ENDED, State.DECLINED])
def test_no_exception_is_made_for_two_of_whom_somebody_said_no(service: Service, state: State) -> None:
    """They are not proposed again whatever the policy says: an exception would only suggest it."""
    child, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        reference = rows.child(child).reference
        if state is State.ENDED:
            over = a_match(session, rows.child(child), rows.volunteer(volunteer), State.ENDED, place=None)
            over.reason, why = "does not feel safe with this visitor", "their match ended"
        else:
            no = tables.Declined(child_id=child, volunteer_id=volunteer, said_by="child", declined_on=today())
            rows.seal(no, "reason", "does not want this visitor")
            session.add(no)
            why = "the child said no on"
    new = f"/volunteers/{volunteer}/exceptions/new"
    sent = {"kind": ExceptionKind.RELATIVE.value, "child": reference, "reason": "The uncle"}
    manager = service.as_(Role.MANAGER)
    refused = manager.post(new, data=sent, headers=HTML)
    assert refused.status_code == 422
    assert f"No exception lets them visit this child: {why}" in refused.text
    assert ("does not feel safe" if state is State.ENDED else "does not want this visitor") in refused.text
    given = {"kind": ExceptionKind.RELATIVE.value, "volunteer": volunteer, "child": child, "reason": "The uncle"}
    assert manager.post("/api/v1/exceptions", json=given).status_code in (409, 422)
    with service.database.read(service.north) as session:
        of_theirs = tables.RecordedException.volunteer_id == volunteer, tables.RecordedException.child_id == child
        assert session.scalars(select(tables.RecordedException).where(*of_theirs)).all() == []

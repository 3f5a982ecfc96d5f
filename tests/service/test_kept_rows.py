"""What is kept was checked as it came in. What the calendar makes of it since keeps nobody else from being read.

It matches nobody, and is told of whom it concerns; a no and a suspension are recorded whatever the matcher makes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
from conftest import Service
from fastapi.testclient import TestClient
from service_rows import a_match
from sqlalchemy import select

from matcher.alone import ready_children
from matcher.catalogue import load_policy
from matcher.errors import KithError
from matcher.instance import today
from matcher.records import Agreement, Status
from matcher.shortlist import shortlist
from service import proposals
from service.database import tables
from service.matching import Matching
from service.permissions import Role
from service.proposals import Chosen
from service.repository import Repository
from service.workflow import LIVE, State

API = "/api/v1"
LONG_AGO = date(1990, 5, 3)


def change(service: Service, work: Callable[[Repository], object]) -> None:
    with service.database.write(service.north) as session:
        work(Repository(session, service.keys))


def born(service: Service, child_id: str, on: date) -> None:
    def work(rows: Repository) -> None:
        row = rows.child(child_id)
        rows.write_child(row, replace(rows.child_record(row, family_known=True), date_of_birth=on))

    change(service, work)


def dated(service: Service, match_id: str, **dates: object) -> None:
    def work(rows: Repository) -> None:
        row = rows.match(match_id)
        for name, value in dates.items():
            setattr(row, name, value)

    change(service, work)


def proposal(service: Service) -> str:
    child, volunteer = service.eligible_pair()
    user = service.users["north", Role.COORDINATOR]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        chosen = Chosen("fit", 1, (volunteer,))
        return proposals.propose(rows, child, volunteer, user_id=user, reason="other", chosen=chosen).id


def csrf(browser: TestClient) -> str:
    return browser.headers["X-CSRF-Token"]


def test_the_county_is_read_in_every_quarter_of_thirty_years(service: Service) -> None:
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        policy = replace(load_policy("national"), name="North")
        for quarter in range(30 * 4):
            instance = rows.instance(today() + timedelta(days=quarter * 365 // 4), policy=policy)
            if quarter % 8 == 0:
                ready = ready_children(instance)
                lists = {child.id: shortlist(instance, child.id, rank_by="fit") for child in instance.waiting}
                assert all(ready[child] for child, volunteers in lists.items() if volunteers)
        assert not any(lists.values())
        # Everybody is too old in the end, and that is told of each of them.
        told = {id for about, _ in instance.impossible for id in about}
        assert told >= {child.id for child in instance.children if child.date_of_birth}


def impossible_rows(service: Service) -> dict[str, str]:
    """Each row that cannot be, as it got in before the border knew it; ids by what is wrong."""
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        active = session.scalars(select(tables.Match.id).where(tables.Match.state == "active")).all()
        taken = {*session.scalars(select(tables.Match.child_id)), service.eligible_pair()[0]}
        old, other = [one.id for one in rows.instance(today()).waiting if one.id not in taken][:2]
    on, backwards = active[:2]
    born(service, old, LONG_AGO)
    dated(service, on, ended_on=today() - timedelta(days=1))
    over = {"state": "ended", "place": None, "over_by": "child"}
    dated(service, backwards, **over, started_on=date(2026, 5, 3), ended_on=date(2026, 5, 2))

    def to_end(rows: Repository) -> None:
        volunteer = rows.volunteer(service.eligible_pair()[1])
        row = a_match(rows.session, rows.child(other), volunteer, State.ENDED, None)
        row.ended_on = today() + timedelta(days=9)

    change(service, to_end)
    return {"too old": old, "current and ended": on}


def test_a_row_that_cannot_be_keeps_nobody_from_the_others(service: Service) -> None:
    child, _ = service.eligible_pair()
    found = impossible_rows(service)
    browser = service.as_(Role.COORDINATOR)
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        match = rows.match(found["current and ended"])
        volunteer, visited = match.volunteer_id, match.child_id
        reference = rows.child(found["too old"]).reference
    pages = [
        "/", "/children", f"/children/{child}", f"/children/{found['too old']}", "/volunteers",
        f"/volunteers/{volunteer}", f"/volunteers/{volunteer}/status", "/proposals", "/proposals?show=over",
        f"/proposals/{match.id}", f"/children/{child}/shortlist", "/runs", "/policy", "/imports",
    ]  # fmt: skip
    assert {page: browser.get(page).status_code for page in pages} == dict.fromkeys(pages, 200)
    found_list = browser.get(f"{API}/children/{child}/shortlist", params={"rank_by": "fit"})
    assert found_list.status_code == 200
    assert found_list.json()["shortlist"]
    first, own = browser.get("/").text, browser.get(f"/children/{found['too old']}").text
    told = f"{reference}, date of birth: 03/05/1990 is not a child&#39;s. Correct the year."
    assert told in first
    assert told in own
    told = "is past, and the match is current. Write ended, or remove the date, by a file of matches under Import."
    assert told in browser.get(f"/proposals/{match.id}").text
    assert "Recorded, and cannot be" not in browser.get(f"/children/{child}").text
    # A match that goes on goes on: its child has a visitor, its volunteer no place, whatever its dates.
    with service.database.read(service.north) as session:
        instance = Repository(session, service.keys).instance(today())
    assert visited in instance.visited
    assert not any(volunteer == one.volunteer for child in instance.waiting for one in shortlist(instance, child.id))


def test_who_is_too_old_is_matched_with_nobody_whatever_the_policy_asks(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    policy = load_policy("national")
    off = {name: {**policy.sections["rules"][name], "on": False}
           for name in ("referral_age", "time_left", "age_gap", "volunteer_limits")}  # fmt: skip
    policy = replace(policy, sections={**policy.sections, "rules": {**policy.sections["rules"], **off}})

    def failing() -> tuple[str, ...]:
        with service.database.read(service.north) as session:
            instance = Repository(session, service.keys).instance(today(), policy=policy)
        return proposals.failing_rules(instance, child, volunteer)

    assert failing() == ()
    born(service, child, date(today().year - 27, 1, 1))
    assert any("care has ended" in one for one in failing())


def test_a_no_is_recorded_of_whose_record_cannot_be(service: Service) -> None:
    match = proposal(service)
    child, _ = service.eligible_pair()
    born(service, child, LONG_AGO)
    browser = service.as_(Role.COORDINATOR)
    path = f"{API}/children/{child}"
    answer = browser.patch(
        path,
        json={"facts": {"agrees": "no"}, "no_by": "child"},
        headers={"If-Match": browser.get(path).headers["ETag"]},
    )
    assert answer.status_code == 200, answer.text
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        assert rows.child(child).objects
        assert rows.match(match).state not in LIVE
        assert rows.child_record(rows.child(child), family_known=True).agrees is Agreement.NO
    # What is typed anew has to be possible all the same.
    etag = browser.get(path).headers["ETag"]
    answer = browser.patch(path, json={"facts": {"date_of_birth": "03/05/1991"}}, headers={"If-Match": etag})
    assert answer.status_code == 422


def test_a_no_and_a_suspension_ask_nothing_of_the_matcher(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    match = proposal(service)
    child, volunteer = service.eligible_pair()
    browser = service.as_(Role.COORDINATOR)

    def fails(*_: object, **__: object) -> None:
        raise KithError("The rows cannot be read.")

    monkeypatch.setattr(Matching, "of", fails)
    monkeypatch.setattr(Repository, "instance", fails)
    assert browser.get(f"/children/{child}").status_code == 422  # so that it is known to fail
    assert browser.get(f"/proposals/{match}/steps/child_declines").status_code == 200
    assert browser.get(f"/volunteers/{volunteer}/status").status_code == 200
    form = {"csrf": csrf(browser), "version": "1"}
    forgotten = browser.post(f"/proposals/{match}/steps/child_declines", data=form, follow_redirects=False)
    assert forgotten.status_code == 422
    assert "Choose a reason" in forgotten.text
    no = {**form, "reason": "objects to any visitor"}
    answer = browser.post(f"/proposals/{match}/steps/child_declines", data=no, follow_redirects=False)
    assert answer.status_code == 303
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        version = rows.volunteer(volunteer).version
        assert rows.match(match).state == "declined"
        assert rows.child(child).objects
    stop = {"csrf": csrf(browser), "version": str(version), "status": "suspended", "reason-suspended": "concern raised"}
    assert browser.post(f"/volunteers/{volunteer}/status", data=stop, follow_redirects=False).status_code == 303
    with service.database.read(service.north) as session:
        assert Repository(session, service.keys).volunteer(volunteer).status == Status.SUSPENDED


def looked_at(service: Service, **cells: str) -> list[tuple[str, str]]:
    """What is wrong with a file of one match, of the pair or of a match that is here."""
    browser = service.as_(Role.COORDINATOR)
    row = {"family": "none", **cells}
    matches = ",".join(row) + "\n" + ",".join(row.values()) + "\n"
    sheets = {"children": "child_id\n", "volunteers": f"volunteer_id\n{cells['volunteer_id']}\n", "matches": matches}
    files = [("files", (f"{name}.csv", text.encode())) for name, text in sheets.items()]
    told = browser.post(f"{API}/imports/check", files=files).json()
    return [(one["column"], one["wrong"]) for one in told["problems"] if one["rejected"]]


def test_a_file_brings_no_date_that_cannot_be(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        own = {"child_id": rows.child(child).reference, "volunteer_id": rows.volunteer(volunteer).reference}
        match = rows.match(service.a_match())
        visited, visitor = rows.child(match.child_id).reference, rows.volunteer(match.volunteer_id).reference
        held = {"child_id": visited, "volunteer_id": visitor}
    soon, begun = today() + timedelta(days=7), date(2026, 5, 3)
    dated(service, match.id, started_on=begun)
    assert looked_at(service, **own, status="current", started_on=f"{soon:%d/%m/%Y}") == [
        ("started_on", "is yet to come, and the match is current")
    ]
    assert looked_at(service, **own, status="current", ended_on=f"{soon:%d/%m/%Y}") == [
        ("ended_on", "stands beside a match that is current")
    ]
    assert looked_at(service, **held, status="ended", ended_on="02/05/2026") == [
        ("ended_on", "is before 03/05/2026, when the visits began as Kith has it")
    ]
    assert looked_at(service, **own, status="current", started_on=f"{today():%d/%m/%Y}") == []
    assert looked_at(service, **held, status="ended", ended_on="03/05/2026") == []


def test_a_file_corrects_the_dates_of_a_match(service: Service) -> None:
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        match = rows.match(service.a_match())
        volunteer = rows.volunteer(match.volunteer_id).reference
        held = {"child_id": rows.child(match.child_id).reference, "volunteer_id": volunteer, "family": "none"}
    browser = service.as_(Role.COORDINATOR)

    def taken_in(**cells: str) -> list[str]:
        """The fields that the file is told to change; and it does."""
        row = {**held, **cells}
        matches = ",".join(row) + "\n" + ",".join(row.values()) + "\n"
        sheets = {"children": "child_id\n", "volunteers": f"volunteer_id\n{volunteer}\n", "matches": matches}
        files = [("files", (f"{name}.csv", text.encode())) for name, text in sheets.items()]
        told = browser.post(f"{API}/imports/check", files=files).json()
        assert told["usable"], told["problems"]
        assert browser.post(f"{API}/imports", files=files, data={"stamp": told["stamp"]}).status_code == 201
        return [field for one in told["changed"] for field in one["fields"]]

    def dates() -> tuple[date | None, date | None]:
        with service.database.read(service.north) as session:
            row = Repository(session, service.keys).match(match.id)
            return row.started_on, row.ended_on

    dated(service, match.id, started_on=date(2026, 5, 3), ended_on=date(2026, 5, 1))
    assert taken_in(status="current", started_on="") == ["ended_on"]
    assert dates() == (date(2026, 5, 3), None)
    assert taken_in(status="current", started_on="02/05/2026") == ["started_on"]
    assert taken_in(status="current", started_on="02/05/2026") == []
    assert taken_in(status="ended", started_on="01/04/2026", ended_on="01/05/2026") == ["status", "started_on"]
    assert dates() == (date(2026, 4, 1), date(2026, 5, 1))
    assert taken_in(status="ended", ended_on="02/05/2026") == ["ended_on"]
    assert dates() == (date(2026, 4, 1), date(2026, 5, 2))


def test_what_ends_before_it_was_to_begin_never_began(service: Service) -> None:
    match = service.a_match()
    dated(service, match, started_on=today() + timedelta(days=7))
    user = service.users["north", Role.COORDINATOR]
    change(
        service,
        lambda rows: proposals.take_step(
            rows,
            match,
            "end",
            by="child",
            user_id=user,
            reason="child does not want this visitor",  # type: ignore[arg-type]
        ),
    )
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        assert (rows.match(match).started_on, rows.match(match).ended_on) == (None, today())
        assert rows.instance(today()).impossible == ()

"""What a file may not do unseen: live matches against core rules, safeguards by a blank, what the log has of each."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from conftest import Service
from service_rows import besides, send
from sqlalchemy import select

from matcher.errors import InputError
from matcher.instance import today
from matcher.readers import Reading
from service import audit_log, importing
from service.audit_log import Entry
from service.database import tables
from service.installation import import_folder
from service.permissions import Role
from service.repository import Repository

API = "/api/v1"
EMPTY = {"children": "child_id", "volunteers": "volunteer_id"}
HEADINGS = {
    "matches": "child_id,volunteer_id,status,family,started_on,ended_on",
    "declined": "child_id,volunteer_id,declined_by",
}  # fmt: skip


class Files:
    """Small files, looked at and taken in over the API."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def look(self, role: Role = Role.COORDINATOR, **sheets: str) -> dict[str, Any]:
        self.sent = [("files", (f"{name}.csv", text.encode())) for name, text in (EMPTY | sheets).items()]
        told: dict[str, Any] = self.service.as_(role).post(f"{API}/imports/check", files=self.sent).json()
        self.stamp = told["stamp"]
        return told

    def take(self, role: Role, *keys: str) -> int:
        data: dict[str, Any] = {"stamp": self.stamp, "weaken": list(keys)}
        return self.service.as_(role).post(f"{API}/imports", files=self.sent, data=data).status_code


@pytest.fixture
def files(service: Service) -> Files:
    return Files(service)


@pytest.fixture
def pair(service: Service) -> tuple[str, str, str, str]:
    """A child who waits and a volunteer who could visit them: their ids, then their references."""
    child, volunteer = service.eligible_pair()
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        return child, volunteer, rows.child(child).reference, rows.volunteer(volunteer).reference


def changed(service: Service, role: Role, path: str, facts: dict[str, str], **besides: Any) -> None:
    browser = service.as_(role)
    etag = {"If-Match": browser.get(f"{API}/{path}").headers["ETag"]}
    assert browser.patch(f"{API}/{path}", json={"facts": facts, **besides}, headers=etag).status_code == 200


def standing(service: Service, volunteer: str, status: str, reason: str) -> None:
    browser = service.as_(Role.MANAGER)
    etag = {"If-Match": browser.get(f"{API}/volunteers/{volunteer}").headers["ETag"]}
    body = {"status": status, "reason": reason}
    assert browser.post(f"{API}/volunteers/{volunteer}/status", json=body, headers=etag).status_code == 200


def entries(service: Service, subject: str = "", action: str = "") -> list[tables.AuditEvent]:
    query = select(tables.AuditEvent).where(tables.AuditEvent.action != "read").order_by(tables.AuditEvent.number)
    if subject:
        query = query.where(tables.AuditEvent.subject == subject)
    with service.database.read(service.north) as session:
        return [one for one in session.scalars(query) if one.action.startswith(action)]


def live(child: str, volunteer: str, status: str = "current") -> str:
    return f"{HEADINGS['matches']}\n{child},{volunteer},{status},{child},,\n"


# ---- live matches ----------------------------------------------------------------------------------------------------


def test_a_live_match_against_core_rules_is_confirmed_rule_by_rule(
    service: Service, files: Files, pair: tuple[str, str, str, str]
) -> None:
    child, volunteer, c, v = pair
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        responsible = rows.child_record(rows.child(child), family_known=False).responsible_authority
    changed(service, Role.MANAGER, f"children/{child}", {"safeguarding_issue": "yes"})
    facts = {"connected_authorities": responsible or "", "dbs_checked_on": "01/01/2015"}
    changed(service, Role.MANAGER, f"volunteers/{volunteer}", facts, why_weaker="recorded by mistake")
    told = files.look(matches=live(c, v), volunteers=f"volunteer_id\n{v}\n")
    weaker = {one["field"]: one for one in told["weaker"]}
    assert set(weaker) == {"dbs_current", "safeguarding_hold", "independent_of_authority"}
    assert {one["reference"] for one in told["weaker"]} == {f"{c} and {v}"}
    assert f"{v}'s DBS check has lapsed" in weaker["dbs_current"]["sentence"]
    keys = [one["key"] for one in told["weaker"]]
    assert files.take(Role.COORDINATOR) == 422
    assert files.take(Role.COORDINATOR, *keys) == 403
    assert files.take(Role.MANAGER, *keys[1:]) == 422
    assert files.take(Role.MANAGER, *keys) == 201
    with service.database.read(service.north) as session:
        match = session.scalars(select(tables.Match).where(tables.Match.child_id == child)).one()
        story = session.scalars(select(tables.Decision).where(tables.Decision.match_id == match.id)).all()
    assert [(one.step, one.state, one.user_id) for one in story] == [
        ("taken_in", "active", service.users["north", Role.MANAGER])
    ]
    assert "Taken in from a file" in service.as_(Role.COORDINATOR).get(f"/proposals/{match.id}").text
    (said,) = entries(service, match.id)
    assert said.action == "decision: taken_in"
    whole = entries(service, action="import")[-1]
    assert {child, volunteer} == set(whole.details["concerned"])
    assert {one.rpartition(" ")[2] for one in whole.details["confirmed"]} == set(keys)


def test_a_match_that_keeps_every_core_rule_asks_nobody(files: Files, pair: tuple[str, str, str, str]) -> None:
    _, _, c, v = pair
    assert files.look(matches=live(c, v), volunteers=f"volunteer_id\n{v}\n")["weaker"] == []
    assert files.take(Role.COORDINATOR) == 201


@pytest.mark.parametrize("status", ["suspended", "withdrawn", "resigned"])
def test_a_live_match_of_who_was_stopped_is_refused(
    service: Service, files: Files, pair: tuple[str, str, str, str], status: str
) -> None:
    _, volunteer, c, v = pair
    standing(service, volunteer, status, "other")
    people = {"children": f"child_id\n{c}\n", "volunteers": f"volunteer_id\n{v}\n"}
    told = files.look(matches=live(c, v, "agreed"), **people)
    (wrong,) = (one for one in told["problems"] if one["rejected"])
    assert (wrong["row"], wrong["value"], wrong["wrong"]) == (2, v, f"is {status}, and a match is agreed")
    assert "a manager takes the volunteer back first" in wrong["remedy"]
    ended = f"{HEADINGS['matches']}\n{c},{v},ended,{c},01/02/2024,01/03/2025\n"
    assert files.look(matches=ended, volunteers=f"volunteer_id\n{v}\n")["usable"]
    both = files.look(matches=live(c, v), volunteers=f"volunteer_id,status\n{v},approved\n")
    if status == "suspended":  # for a concern: no file takes them back, with or without a match
        assert [one["wrong"] for one in both["problems"] if one["rejected"]] == ["is suspended, and a match is current"]
    else:
        assert [(one["reference"], one["field"]) for one in both["weaker"]] == [(v, "status")]  # a manager says so


@pytest.mark.parametrize("before", [True, False])
def test_a_live_match_to_which_the_child_said_no_is_refused(
    files: Files, pair: tuple[str, str, str, str], before: bool
) -> None:
    _, _, c, v = pair
    volunteers = f"volunteer_id\n{v}\n"
    no = f"{HEADINGS['declined']}\n{c},{v},child\n"
    if before:
        files.look(declined=no, volunteers=volunteers)
        assert files.take(Role.COORDINATOR) == 201
        told = files.look(matches=live(c, v), volunteers=volunteers)
    else:
        told = files.look(matches=live(c, v), volunteers=volunteers, declined=no)
    assert [one["wrong"] for one in told["problems"] if one["rejected"]] == [f"said no to {v}, and a match is current"]


def test_a_no_of_the_volunteer_is_a_managers_to_overrule(files: Files, pair: tuple[str, str, str, str]) -> None:
    _, _, c, v = pair
    no = f"{HEADINGS['declined']}\n{c},{v},volunteer\n"
    told = files.look(matches=live(c, v), volunteers=f"volunteer_id\n{v}\n", declined=no)
    (one,) = told["weaker"]
    assert one["field"] == "not_declined"
    assert f"The volunteer said no to {v} for {c}" in one["sentence"]


def test_the_rules_are_asked_of_facts_as_they_would_be(files: Files, pair: tuple[str, str, str, str]) -> None:
    """A sibling's past visits that come in the same file; and a check that the file brings up to date."""
    _, _, c, v = pair
    volunteers = f"volunteer_id,dbs_checked_on\n{v},01/01/2015\n"
    past = f"{HEADINGS['matches']}\n{c},{v},current,K-9,,\nN-77,{v},ended,k-9,01/02/2024,01/03/2025\n"
    told = files.look(matches=past, volunteers=volunteers)
    assert {one["field"] for one in told["weaker"]} == {"sibling_history", "dbs_current"}
    day = f"{today() - timedelta(days=9):%d/%m/%Y}"
    told = files.look(matches=past.replace("k-9", "K-10"), volunteers=volunteers.replace("01/01/2015", day))
    assert told["weaker"] == []


def test_two_siblings_of_one_file_are_each_judged_beside_the_other(service: Service, files: Files) -> None:
    volunteers = "volunteer_id\nN-900\n"
    rows = f"{HEADINGS['matches']}\nN-1,N-900,current,K-9,,\nN-2,N-900,current,K-9,,\n"
    second = "kind,volunteer_id,reason,approved_by,approved_on\nsecond child,N-900,why not,A manager,01/10/2026\n"
    told = files.look(matches=rows, volunteers=volunteers, exceptions=second)
    by_rule = {one["field"]: one for one in told["weaker"]}
    assert by_rule["sibling_history"]["children"] == ["N-1", "N-2"]


def test_first_files_ask_once_a_rule_with_each_match_named(
    service: Service, files: Files, small_county: Reading
) -> None:
    """A service that comes with all its visits is asked about as many things as there are rules, not visits."""
    with service.database.read(service.south) as session:
        told = importing.look(Repository(session, service.keys), small_county, today())
    matches = [one for one in told.weaker if one.sheet == "matches"]
    assert all(not one.reference and len(one.each) == len(one.children) for one in matches)
    told = files.look(
        volunteers="volunteer_id,status\nN-900,applicant\nN-901,applicant\n",
        matches=f"{HEADINGS['matches']}\nN-1,N-900,current,N-1,,\nN-2,N-901,current,N-2,,\n",
    )
    rules = {one["field"]: one for one in told["weaker"]}
    assert len(rules) == len(told["weaker"])
    assert rules["approved"]["children"] == ["N-1", "N-2"]
    assert any("N-901" in sentence for sentence in rules["approved"]["each"])
    assert "child_agrees" not in rules  # of a child without a record, nothing can be asked but the visits
    first = rules["approved"]["key"]
    told = files.look(
        volunteers="volunteer_id,status\nN-900,applicant\nN-902,applicant\n",
        matches=f"{HEADINGS['matches']}\nN-1,N-900,current,N-1,,\nN-2,N-902,current,N-2,,\n",
    )
    assert first not in [one["key"] for one in told["weaker"]]  # a key is of those whom it named


# ---- what is lost by a blank, or a column --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "field", "before", "after"),
    [
        ("children", "looked_after", "no", ""),
        ("children", "continuing_agreed", "no", ""),
        ("children", "responsible_authority", "North Northamptonshire", "Rotherham"),
        ("children", "responsible_authority", "North Northamptonshire", ""),
        ("children", "unaccompanied", "no", "yes"),
        ("volunteers", "right_to_work", "no", ""),
        ("volunteers", "drives", "yes", "no"),
        ("volunteers", "insured_for_volunteering", "no", "yes"),
        ("volunteers", "insured_for_volunteering", "no", ""),
    ],
)
def test_a_safeguard_that_a_cell_takes_away_is_confirmed(
    service: Service, files: Files, pair: tuple[str, str, str, str], kind: str, field: str, before: str, after: str
) -> None:
    child, volunteer, c, v = pair
    id, reference, column = (child, c, "child_id") if kind == "children" else (volunteer, v, "volunteer_id")
    changed(service, Role.MANAGER, f"{kind}/{id}", {field: before}, why_weaker="recorded by mistake")
    told = files.look(**{kind: f"{column},{field}\n{reference},{after}\n"})
    assert [(one["reference"], one["field"]) for one in told["weaker"]] == [(reference, field)]


def test_a_file_without_a_placement_leaves_its_council(
    service: Service, files: Files, pair: tuple[str, str, str, str]
) -> None:
    child, _, c, _ = pair
    told = files.look(children=f"child_id,interests\n{c},chess\n")
    assert [one["fields"] for one in told["changed"]] == [["interests"]]
    assert files.take(Role.COORDINATOR) == 201
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        assert rows.child_record(rows.child(child), family_known=False).placement_council is not None


# ---- the log ---------------------------------------------------------------------------------------------------------


def test_the_log_has_what_a_file_did_to_whom(service: Service, files: Files, pair: tuple[str, str, str, str]) -> None:
    child, volunteer, c, v = pair
    changed(service, Role.COORDINATOR, f"children/{child}", {"agrees": "no"}, no_by="child")
    told = files.look(
        children=f"child_id,agrees,interests\n{c},yes,chess\n", volunteers=f"volunteer_id,interests\n{v},chess\n"
    )
    (one,) = told["weaker"]
    assert files.take(Role.MANAGER, one["key"]) == 201
    said = entries(service, child)[-1]
    assert (said.action, said.actor) == ("import: change child", service.users["north", Role.MANAGER])
    assert said.details["fields"] == ["agrees", "interests"]
    assert (said.details["agrees before"], said.details["agrees"]) == ("no", "yes")
    assert said.details["weakened"] == [f"agrees: {one['key']}"]
    of_volunteer = entries(service, volunteer)[-1]
    assert (of_volunteer.action, of_volunteer.details["fields"]) == ("import: change volunteer", ["interests"])
    assert "weakened" not in of_volunteer.details
    page = service.as_(Role.AUDITOR).get(f"/log?subject={child}").text
    assert "Changed facts of a child by a file" in page
    assert "the child said before: no" in page


def test_the_log_has_a_childs_word_and_a_standing_before_and_after(
    service: Service, pair: tuple[str, str, str, str]
) -> None:
    child, volunteer, _, _ = pair
    changed(service, Role.COORDINATOR, f"children/{child}", {"agrees": "no"}, no_by="child")
    changed(service, Role.MANAGER, f"children/{child}", {"agrees": "yes"}, **besides())
    said = entries(service, child, "change child")[-1].details
    assert (said["agrees before"], said["agrees"]) == ("no", "yes")
    standing(service, volunteer, "suspended", "concern raised")
    said = entries(service, volunteer, "volunteer status")[-1].details
    assert (said["status before"], said["status"]) == ("approved", "suspended")


def test_who_is_suspended_by_a_file_after_they_withdrew_has_the_past_brought_up(
    service: Service, files: Files, small_county: Reading
) -> None:
    match = service.a_match()
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        row = rows.match(match)
        child, volunteer, v = row.child_id, row.volunteer_id, rows.volunteer(row.volunteer_id).reference
        c = rows.child(child).reference
    files.look(matches=f"{HEADINGS['matches']}\n{c},{v},ended,,,01/11/2026\n", volunteers=f"volunteer_id\n{v}\n")
    assert files.take(Role.COORDINATOR) == 201
    standing(service, volunteer, "withdrawn", "own wish")
    told = files.look(volunteers=f"volunteer_id,status\n{v},suspended\n")
    assert files.take(Role.COORDINATOR, *[one["key"] for one in told["weaker"]]) == 201
    with service.database.read(service.north) as session:
        story = session.scalars(select(tables.Decision.step).where(tables.Decision.match_id == match)).all()
    assert "brought_up" in story
    said = entries(service, volunteer, "import")[-1].details
    assert (said["status before"], said["status"]) == ("withdrawn", "suspended")
    told = service.as_(Role.MANAGER).get(f"/volunteers/{volunteer}").text
    assert told.index("Reason: own wish.") < told.index("by coordinator of north, with a file that gives no reason.")


def test_many_entries_are_one_chain(service: Service) -> None:
    with service.database.write(service.north) as session:
        audit_log.record_all(session, service.keys, [Entry("U1", "read", f"C{number}") for number in range(50)])
    with service.database.write(service.north) as session:
        audit_log.record(session, service.keys, Entry("U1", "read", "last"))
    with service.database.read(service.north) as session:
        verdict = audit_log.verify(session, service.keys)
        subjects = session.scalars(select(tables.AuditEvent.subject).order_by(tables.AuditEvent.number)).all()
    assert verdict.problem is None
    assert list(subjects[-51:]) == [*(f"C{number}" for number in range(50)), "last"]


def test_the_page_names_each_match_under_the_rule_that_it_breaks(service: Service) -> None:
    """One tick a rule for people who are all new, each match named; a coordinator is shown them, without ticks."""
    people = b"volunteer_id,status\nN-900,applicant\nN-901,applicant\n"
    matches = f"{HEADINGS['matches']}\nN-1,N-900,current,N-1,,\nN-2,N-901,current,N-2,,\n".encode()
    manager = service.as_(Role.MANAGER)
    address = send(manager, ("volunteers.csv", people), ("matches.csv", matches))
    page = unescape(manager.get(f"{address}/confirm").text)
    asked = page.partition("The volunteer is approved and has signed the agreement")[2].partition("</details>")[0]
    assert "Which: 2 new matches" in asked
    assert re.findall(r"<li>([^<]*N-90\d[^<]*)</li>", asked)[1].startswith(("N-901", "Not recorded: when N-901"))
    assert page.count('name="weaken"') == len(re.findall("would be against a rule", page))
    page = service.as_(Role.COORDINATOR).get(f"{address}/confirm").text
    assert "and a manager confirms that" in page
    assert 'name="weaken"' not in page
    assert "Which: 2 new matches" in page


def by_command(service: Service, folder: Path, **sheets: str) -> None:
    """As `kith import` takes in a folder, where nobody is asked."""
    for name, text in (EMPTY | sheets).items():
        (folder / f"{name}.csv").write_text(f"{text}\n")
    import_folder(service.database, service.keys, service.north, folder)


def test_the_command_line_takes_in_no_match_of_people_here_against_a_core_rule(
    service: Service, pair: tuple[str, str, str, str], tmp_path: Path
) -> None:
    child, _, c, v = pair
    changed(service, Role.MANAGER, f"children/{child}", {"agrees": "not asked"})
    with pytest.raises(InputError, match="nobody confirmed it"):
        by_command(service, tmp_path, volunteers=f"volunteer_id\n{v}", matches=live(c, v).strip())


def test_what_a_child_said_before_a_file_was_taken_in_is_recorded(
    service: Service, files: Files, pair: tuple[str, str, str, str]
) -> None:
    """The story of the match begins with the file, the match itself long before."""
    _, _, c, v = pair
    assert files.look(matches=live(c, v), volunteers=f"volunteer_id\n{v}\n")["weaker"] == []
    assert files.take(Role.COORDINATOR) == 201
    with service.database.read(service.north) as session:
        match = session.scalars(select(tables.Decision.match_id).where(tables.Decision.step == "taken_in")).one()
    browser, path = service.as_(Role.COORDINATOR), f"{API}/matches/{match}"
    etag = {"If-Match": browser.get(path).headers["ETag"]}
    then = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    body = {"step": "end", "by": "child", "reason": "child objects to any visitor", "at": then}
    assert browser.post(f"{path}/steps", json=body, headers=etag).status_code == 200

"""The audit log and who read of somebody, as pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from conftest import Service
from page_reading import HTML

from matcher.records import Party
from service import audit_log
from service.audit_log import Entry, record, verify
from service.database.base import utc_now
from service.database.tables import AuditEvent
from service.pages import log
from service.permissions import Role
from service.proposals import take_step
from service.repository import Repository


def test_filters_and_the_reference_keep_on_every_page_of_the_log(service: Service) -> None:
    """By the reference other pages are asked for by forms: it stands in no address."""
    child, _ = service.eligible_pair()
    auditor, user = service.as_(Role.AUDITOR), service.users["north", Role.COORDINATOR]
    with service.database.write(service.north) as session:
        reference = Repository(session, service.keys).references()[child]
        entries = [audit_log.Entry(user, "read", child, "record"), audit_log.Entry(user, "change child", child)] * 60
        audit_log.record_all(session, service.keys, entries)
    sought = {"reference": reference, "kind": "record", "actor": user, "days": "30"}
    shown = auditor.post("/log/find", data=sought, headers=HTML).text
    for number in (1, 2, 3):
        assert f"Page {number} of 3" in shown
        assert "60 entries." in shown
        assert "Opened the record" not in shown
        assert f"record {reference} ({child})" in shown
        form = shown.partition('<form class="kith-pages"')[2].partition("</form>")[0]
        fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form))
        assert sought.items() <= fields.items()
        if number < 3:
            assert f'name="page" value="{number + 1}">Next page' in form
            shown = auditor.post("/log/find", data={**fields, "page": str(number + 1)}, headers=HTML).text
    assert "Next page" not in shown
    by_link = auditor.get(f"/log?kind=record&actor={user}&days=30&subject={child}", headers=HTML).text
    assert f"/log?kind=record&amp;actor={user}&amp;subject={child}&amp;days=30&amp;page=2" in by_link


def test_entries_stand_under_the_day_on_which_they_were_written_in_london() -> None:
    ats = [datetime(2026, 7, 2, 8, tzinfo=UTC), datetime(2026, 7, 1, 23, 30, tzinfo=UTC),
           datetime(2026, 7, 1, 22, 30, tzinfo=UTC)]  # fmt: skip
    days = log.by_day([AuditEvent(at=at) for at in ats])
    assert [(day, [one.at for one in entries]) for day, entries in days] == [
        ("Thursday 2 July 2026", ats[:2]), ("Wednesday 1 July 2026", ats[2:]),
    ]  # fmt: skip


def test_who_read_about_a_child_and_an_auditor_finds_the_record_by_reference(service: Service) -> None:
    child, _ = service.eligible_pair()
    coordinator, auditor = service.as_(Role.COORDINATOR), service.as_(Role.AUDITOR)
    reference = coordinator.get(f"/children/{child}", headers=HTML).text.partition("<title>Child ")[2].split()[0]
    page = coordinator.get(f"/children/{child}/readers", headers=HTML).text
    assert "coordinator of north" in page
    assert "Opened the record" in page
    with service.database.read(service.north) as session:
        others = {*Repository(session, service.keys).references().values()} - {reference}
    sought = {"reference": reference.lower(), "kind": "read"}  # the filters are kept with it
    found = " ".join(auditor.post("/log/find", data=sought, headers=HTML).text.split())
    assert f"Only what was done to or with record {reference.lower()} ({child})" in found
    assert f">{reference.lower()} ({child})</a>" in found
    assert '<option value="read" selected>' in found
    assert reference not in auditor.get(f"/log?subject={child}&days=0", headers=HTML).text  # who never typed it
    assert not [other for other in others if re.search(rf"\b{other}\b", found)]  # who reads the log is shown ids
    assert "There is no record “nobody”" in auditor.post("/log/find", data={"reference": "nobody"}, headers=HTML).text


def test_the_log_tells_who_read_a_child_and_which_lists_had_them(service: Service) -> None:
    child, _ = service.eligible_pair()
    coordinator, auditor = service.as_(Role.COORDINATOR), service.as_(Role.AUDITOR)
    coordinator.get(f"/children/{child}")
    coordinator.get("/children?show=everybody")  # the first page of it
    rows = auditor.get(f"/log?subject={child}&days=0").text
    assert rows.count("Opened the record") == 1
    listed = auditor.get("/log?kind=read&days=1").text
    assert "children: 25 records" in listed
    assert auditor.get("/log?kind=decision").text.count("<tr") == 0
    assert "Opened the record" not in service.as_(Role.AUDITOR, "south").get(f"/log?subject={child}&days=0").text


def test_an_auditor_finds_what_was_decided_of_a_child_and_of_a_volunteer_by_their_reference(service: Service) -> None:
    """Decisions stand under the match, which nobody knows by its id."""
    user, active = service.users["north", Role.COORDINATOR], service.a_match()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        match, known = rows.match(active), rows.references()
        child, volunteer = known[match.child_id], known[match.volunteer_id]
        other = next(reference for id, reference in known.items() if id[0] == "C" and id != match.child_id)
        take_step(rows, active, "pause", by=Party.AUTHORITY, user_id=user, reason="circumstances")
    auditor = service.as_(Role.AUDITOR)
    for reference, found in ((child, True), (volunteer, True), (other, False)):
        page = auditor.post("/log/find", data={"reference": reference}).text
        assert ("Decision: the visits were paused" in page) is found
        assert (active in page) is found
        # Of whom it is, by ids, and by the reference of the one whom somebody looked for.
        ids = {child: match.child_id, volunteer: match.volunteer_id}
        told = {one: f"{one} ({id})" if one == reference else id for one, id in ids.items()}
        row = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))
        assert (f"match {active}, of child {told[child]} and volunteer {told[volunteer]}" in row) is found
        assert not [one for one in (child, volunteer) if one != reference and re.search(rf"\b{one}\b", row)]


def test_the_log_says_which_list_was_opened_and_of_an_entry_of_before_that_one_was(service: Service) -> None:
    _, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        record(session, service.keys, Entry(service.users["north", Role.COORDINATOR], "read", "", "list"))
    for path in ("/", "/children", "/proposals", f"/volunteers/{volunteer}/shortlist"):
        assert service.as_(Role.COORDINATOR).get(path).status_code == 200
    told = re.findall(r'data-label="What"[^>]*>([^<]*)<', service.as_(Role.AUDITOR).get("/log?kind=read").text)
    assert told == [
        "Opened whom a volunteer could visit", "Opened the list of proposals and matches",
        "Opened the list of children", "Opened the page Today", "Opened a list",
    ]  # fmt: skip
    with service.database.read(service.north) as session:
        assert verify(session, service.keys).problem is None


@pytest.mark.parametrize(("ago", "shown"), [(0.9, [1, 7, 30, 365, 0]), (6.9, [7, 30, 365, 0]), (29.9, [30, 365, 0]),
                                            (364.9, [365, 0]), (366, [0])])  # fmt: skip
def test_the_log_has_what_is_since_so_many_days(
    service: Service, monkeypatch: pytest.MonkeyPatch, ago: float, shown: list[int]
) -> None:
    child, _ = service.eligible_pair()
    service.as_(Role.COORDINATOR).get(f"/children/{child}", headers=HTML)
    auditor = service.as_(Role.AUDITOR)
    monkeypatch.setattr(log, "utc_now", lambda: utc_now() + timedelta(days=ago))
    found = {days: auditor.get(f"/log?subject={child}&days={days}", headers=HTML).text for days in (1, 7, 30, 365, 0)}
    assert [days for days, page in found.items() if "Opened the record" in page] == shown

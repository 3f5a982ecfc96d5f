"""Files that are looked at on a page: their problems, what they would change, and how they are taken in."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from datetime import timedelta
from io import BytesIO, StringIO
from typing import Any

import pytest
from browser import HOSTILE
from conftest import Service
from fastapi.testclient import TestClient
from python_calamine import CalamineWorkbook
from service_rows import cell, of, send
from sqlalchemy import select

from matcher.instance import today
from matcher.readers import Reading, read_files
from service import importing
from service.database import tables
from service.importing import uploads
from service.permissions import Role
from service.repository import Repository

HTML = {"Accept": "text/html"}


# ---- problems --------------------------------------------------------------------------------------------------------


def test_problems_stand_beside_their_rows_and_in_the_workbook(service: Service, small_county: Reading) -> None:
    browser = service.as_(Role.COORDINATOR)
    first, second = (cells[0] for _, cells in small_county.grids["children"].rows[:2])
    change = {("children", first, "date_of_birth"): "31/02/2012", ("children", second, "coordinator"): "=1+1"}
    file = of(small_county, "children", change)
    address = send(browser, file)
    page = browser.get(address).text
    rows = len(small_county.grids["children"].rows)
    assert re.search(rf"{rows} rows were given: {rows - 1} can be used, 1 cannot", page)
    assert "children.csv, row 2" in page
    assert "31/02/2012" in page
    assert "is a day that does not exist" in page
    assert browser.get(f"{address}/confirm", follow_redirects=False).status_code == 303  # nothing to confirm yet
    answer = browser.get(f"{address}/corrections/children")
    table = CalamineWorkbook.from_filelike(BytesIO(answer.content)).get_sheet_by_index(0).to_python()
    assert table[0][-1] == "problems"
    assert "does not exist" in str(table[1][-1])
    given = list(csv.reader(StringIO(file[1].decode())))
    assert len(table) == len(given)
    assert "'=1+1" in [str(one) for one in table[2]]  # never a formula
    assert browser.get(f"{address}/corrections/volunteers", headers=HTML).status_code == 404


def test_what_stands_against_kith_is_a_problem_of_its_row(service: Service, small_county: Reading) -> None:
    """A no to a visitor who visits the child now is recorded in Kith, where it ends the match."""
    browser = service.as_(Role.COORDINATOR)
    child, visitor, *_ = next(cells for _, cells in small_county.grids["matches"].rows if "current" in cells)
    no = ("declined.csv", f"child_id,volunteer_id,by\n{child},{visitor},child\n".encode())
    page = browser.get(send(browser, no, of(small_county, "volunteers"))).text
    assert f"is active with {visitor} in Kith" in page
    assert "declined.csv, row 2" in page
    assert "1 cannot" in page


BUDGETS = b"authority,budget_pounds,spent_pounds\nWest Northamptonshire,6000,1500\n"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("children.xlsx", b"PK\x03\x04 and nothing else", "damaged workbook"),
        ("children.csv", b"PK\x03\x04", "workbook under the name of a CSV"),
        ("notes.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "workbook of before 2007"),
        ("anything.csv", b"\0\0\0\0", "not a text file"),
    ],
)
def test_a_hostile_file_is_refused_in_a_sentence(service: Service, name: str, content: bytes, told: str) -> None:
    browser = service.as_(Role.COORDINATOR)
    page = browser.get(send(browser, (name, content)), headers=HTML).text
    assert told in page
    assert "can be used" not in page
    if not name.startswith("children"):
        return  # somebody has to say first of which sheet it is
    assert "No row could be read." in page
    beside = browser.get(send(browser, (name, content), ("authorities.csv", BUDGETS)), headers=HTML).text
    assert "Every row that was read can be used, and something else is wrong." in beside


# ---- what would change, and taking it in -----------------------------------------------------------------------------


def ready(service: Service, small_county: Reading, browser: TestClient) -> tuple[str, dict[str, Any], str]:
    """Files in which a child who said no says yes: the address, the form, and the child's reference."""
    no = cell(small_county, "children", "agrees", "no")
    other = small_county.grids["children"].rows[0][1][0]
    change = {("children", no, "agrees"): "yes", ("children", other, "coordinator"): HOSTILE[:40]}
    address = send(browser, of(small_county, "children", change))
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        upload = uploads.find(rows, address.rsplit("/", 1)[1])
        keys = [one.key for one in importing.look(rows, upload.reading(today()), today()).weaker]
        form = {"stamp": upload.stamp(rows, today()), "reason": "regular update", "note": "From the October extract."}
    assert len(keys) == 1
    return address, {**form, "weaken": keys}, no


def test_the_echo_tells_what_kith_has_and_what_the_file_says(service: Service, small_county: Reading) -> None:
    browser = service.as_(Role.COORDINATOR)
    address, _, no = ready(service, small_county, browser)
    page = browser.get(address).text
    row = page.partition(f">{no}<")[2]
    assert re.search(r"Agrees to have a visitor</th>\s*<td[^>]*>no</td>\s*<td[^>]*>yes</td>", row)
    assert "One safeguard would weaken" in page
    assert "A manager confirms each by itself" in page
    assert "<script>" not in page.partition("<main")[2].replace("</script>", "")
    with service.database.read(service.north) as session:
        entry = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.reason == "import")).all()[-1]
        child = session.scalars(select(tables.Child.id).where(tables.Child.reference == no)).one()
    assert child in entry.details["children"]  # that what is kept of them was shown


def test_who_is_new_is_listed_with_what_the_file_says_of_each(service: Service, small_county: Reading) -> None:
    """Page by page, as the changed records are; a blank cell is not told, and a child who is here is in the log."""
    browser = service.as_(Role.COORDINATOR)
    knows = small_county.grids["children"].rows[0][1][0]
    children = ("children.csv", b"child_id,interests,agrees,family\n" + b"".join(
        b"N-%02d,chess; hiking,yes,%s\n" % (n, b"N-F" if n < 3 else b"N-%02d" % n) for n in range(1, 28)
    ))  # fmt: skip
    volunteers = ("volunteers.csv", f"volunteer_id,known_children\nN-900,{knows}\n".encode())
    declined = ("declined.csv", b"child_id,volunteer_id,declined_by\nN-05,N-900,child\n")
    address = send(browser, children, volunteers, declined)
    page = browser.get(address).text
    assert re.search(r'aria-current="true">New <span>29<', page)  # nothing changes: who is new is shown first
    assert re.search(r"Changes <span>0<", page)
    first = page.partition(">N-01 <")[2].partition("</section>")[0]
    assert "<details" in first
    assert " open" not in first.partition("<details")[2].partition(">")[0]
    told = dict(re.findall(r"<dt>([^<]*)</dt><dd[^>]*>([^<]*)<", first))
    assert told == {
        "Interests": "Chess; Walking and hiking",
        "Agrees to have a visitor": "yes",
        "Brothers and sisters": "N-F",
    }
    alone = page.partition(">N-03 <")[2].partition("</section>")[0]
    assert "Brothers and sisters" not in alone  # called as the child is, which means that there is nobody else
    assert ">N-25 <" in page
    assert ">N-26 <" not in page
    with service.database.read(service.north) as session:
        child = session.scalars(select(tables.Child.id).where(tables.Child.reference == knows)).one()
    before = len(_read(service))
    page = browser.get(f"{address}?show=new&page=2").text
    for reference, label, fact in (
        ("N-900", "Children whom they know", knows),
        ("N-05 and N-900", "Declined by", "child"),
    ):
        told = dict(re.findall(r"<dt>([^<]*)</dt><dd[^>]*>([^<]*)<", page.partition(f">{reference} <")[2]))
        assert told[label] == fact
    absent = {*re.findall(r'href="/children/(C\w+)"', page.partition("in Kith, not in the file: ")[2])}
    assert [entry["children"] for entry in _read(service)[before:]] == [sorted({child, *absent})]
    again = send(browser, of(small_county, "children"))
    assert "Nobody and nothing in the files is new to Kith" in browser.get(f"{again}?show=new").text


def test_what_blank_cells_would_take_is_counted_and_listed(service: Service, small_county: Reading) -> None:
    """A sheet that was made from the template's headings emptied a child's record: only safeguards were told."""
    browser = service.as_(Role.COORDINATOR)
    child, other = (cells[0] for _, cells in small_county.grids["children"].rows[:2])
    rows = f"child_id,interests,ethnicity,gender,fears_animals\n{child},,,female,\n{other},chess,,female,yes\n"
    file = ("children.csv", rows.encode())
    told = browser.post(
        "/api/v1/imports/check", files=[("files", file), ("files", ("volunteers.csv", b"volunteer_id\n"))]
    )
    assert {one["reference"]: set(one["fields"]) for one in told.json()["blanked"]} == {
        child: {"interests", "ethnicity", "fears_animals"}, other: {"ethnicity"},
    }  # fmt: skip
    address = send(browser, file)
    said = "A blank cell makes a fact not recorded: 4 facts of 2 children would go"
    page = browser.get(address).text
    assert said in page
    assert re.search(rf">{child}</dt><dd>Ethnicity; Interests; Afraid of animals<", page)
    assert said in browser.get(f"{address}/confirm").text
    same = browser.get(send(browser, of(small_county, "children"))).text
    assert "would go" not in same


def test_a_column_is_called_as_a_coordinator_calls_it(service: Service, small_county: Reading) -> None:
    browser = service.as_(Role.COORDINATOR)
    person = cell(small_county, "volunteers", "status", "approved")
    days = {"dbs_checked_on": today() - timedelta(days=1), "mot_until": today() + timedelta(days=500)}
    changes = {("volunteers", person, column): f"{day:%d/%m/%Y}" for column, day in days.items()}
    address = send(browser, of(small_county, "volunteers", changes))
    row = browser.get(address).text.partition(f">{person}<")[2]
    assert re.search(r"DBS checked on</th>.*MOT until</th>", row, re.S)
    columns = browser.get(f"{address}/columns?file=0").text
    assert re.search(r"<option [^>]*DBS checked on", columns)
    wrong = send(browser, of(small_county, "volunteers", {("volunteers", person, "dbs_checked_on"): "lately"}))
    assert "<b>DBS checked on</b>" in browser.get(wrong).text


def test_rows_with_problems_and_examples_of_columns_stand_in_the_log_as_read(
    service: Service, small_county: Reading
) -> None:
    browser = service.as_(Role.COORDINATOR)
    reference = small_county.grids["children"].rows[0][1][0]
    with service.database.read(service.north) as session:
        child = session.scalars(select(tables.Child.id).where(tables.Child.reference == reference)).one()
    wrong = of(small_county, "children", {("children", reference, "date_of_birth"): "31/02/2012"})
    unknown = "ours.csv", f"number,child_id,agrees\n1,{reference},yes\n".encode()
    for file, page in ((wrong, ""), (unknown, "/columns")):
        address = send(browser, file) + page
        before = _read(service)
        assert reference in browser.get(address, headers=HTML).text
        assert [entry["children"] for entry in _read(service)[len(before) :]] == [[child]], address


def _read(service: Service) -> list[dict[str, Any]]:
    with service.database.read(service.north) as session:
        query = select(tables.AuditEvent).where(tables.AuditEvent.reason == "import").order_by(tables.AuditEvent.number)
        return [entry.details for entry in session.scalars(query)]


def test_a_safeguard_is_a_managers_to_confirm_by_itself_and_then_a_run_is_asked_for(
    service: Service, small_county: Reading
) -> None:
    desk, manager = service.as_(Role.COORDINATOR), service.as_(Role.MANAGER)
    address, form, no = ready(service, small_county, desk)
    assert "a manager confirms that" in desk.get(f"{address}/confirm").text
    assert desk.post(f"{address}/confirm", data=form, headers=HTML).status_code == 403
    unticked = manager.post(f"{address}/confirm", data={**form, "weaken": []}, headers=HTML)
    assert unticked.status_code == 422
    assert "One safeguard is not confirmed" in unticked.text
    assert "From the October extract." in unticked.text
    forged = manager.post(f"{address}/confirm", data={**form, "weaken": ["0" * 16]}, headers=HTML)
    assert forged.status_code == 422
    unsaid = manager.post(f"{address}/confirm", data={**form, "reason": ""}, headers=HTML)
    assert "Choose why you take these files in." in unsaid.text
    answer = manager.post(f"{address}/confirm", data=form, headers=HTML, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    page = manager.get(answer.headers["location"]).text
    rows = len(small_county.grids["children"].rows)
    assert f"All {rows} rows that were given were taken in" in page
    assert "A run was asked for" in page
    assert "From the October extract." in page
    assert manager.get(address, headers=HTML).status_code == 404  # the files are gone
    with service.database.read(service.north) as session:
        assert not session.scalars(select(tables.Child).where(tables.Child.reference == no)).one().objects
        assert session.scalars(select(tables.Run)).one().reasons == ["files taken in"]
        batch = session.scalars(select(tables.ImportBatch).where(tables.ImportBatch.reason == "regular update")).one()
        assert b"October" not in (batch.note or b"")
        new, changed = batch.rows.get("children", 0), batch.rows.get("children changed", 0)
        assert (batch.given["children"], new, changed) == (rows, 0, 2)
    assert "regular update" in service.as_(Role.AUDITOR).get("/log?kind=import").text


def test_a_manager_reads_what_an_exception_and_a_budget_say_and_confirms_each(
    service: Service, small_county: Reading
) -> None:
    manager = service.as_(Role.MANAGER)
    volunteer = small_county.grids["volunteers"].rows[0][1][0]
    exceptions = "kind,volunteer_id,value,reason,approved_by,approved_on\n" + "".join(
        f"second child,{volunteer},{most},{why},Team manager,02/10/2026\n"
        for most, why in ((2, "The first ends in March"), (3, "Three brothers of a friend"))
    )
    budget = "authority,budget_pounds,spent_pounds\nSurrey,6000,1500\n"
    files = ("exceptions.csv", exceptions.encode()), ("authorities.csv", budget.encode())
    address = send(manager, of(small_county, "volunteers"), *files)
    page = manager.get(f"{address}/confirm", headers=HTML).text
    told = "would allow second child (3 children at most), approved by Team manager on 2 October 2026"
    for sentence in (told, "Three brothers of a friend", "The first ends in March",
                     "would have a budget of £6,000.00 (£1,500.00 spent)"):  # fmt: skip
        assert sentence in page
    keys = re.findall(r'name="weaken" type="checkbox" value="([^"]+)"', page)
    assert len(set(keys)) == 3  # no tick says yes to more than its sentence
    stamp = re.search(r'name="stamp" value="([^"]+)"', page)
    assert stamp is not None
    form = {"stamp": stamp[1], "reason": "regular update"}
    for left in keys:
        some = {**form, "weaken": [key for key in keys if key != left]}
        assert manager.post(f"{address}/confirm", data=some, headers=HTML).status_code == 422


def test_a_managers_word_that_a_file_brings_is_a_managers_to_confirm(service: Service, small_county: Reading) -> None:
    desk = service.as_(Role.COORDINATOR)
    reference = small_county.grids["children"].rows[0][1][0]
    columns = ("manager_approved", "funding_agreed")
    for before, asked in (("", True), ("no", True), ("yes", False)):
        with service.database.write(service.north) as session:
            rows = Repository(session, service.keys)
            row = session.scalars(select(tables.Child).where(tables.Child.reference == reference)).one()
            said = {"": None, "no": False, "yes": True}[before]
            record = replace(rows.child_record(row, True), manager_approved=said, funding_agreed=said)
            rows.write_child(row, record)
        change = {("children", reference, column): "yes" for column in columns}
        address = send(desk, of(small_county, "children", change))
        page = desk.get(f"{address}/confirm", headers=HTML).text
        assert ("was not approved by the manager" in page) is asked, before
        assert ("had no funding agreed" in page) is asked, before


NEW = "child_id,manager_approved,funding_agreed\nN-901,yes,yes\nN-902,yes,no\nN-903,yes,\n"


def test_a_managers_word_of_new_children_is_one_thing_to_confirm_a_fact_and_names_them(service: Service) -> None:
    desk, manager = service.as_(Role.COORDINATOR), service.as_(Role.MANAGER)
    address = send(desk, ("children.csv", NEW.encode()))
    told = desk.get(f"{address}/confirm", headers=HTML).text
    assert "2 things take a manager’s word, and a manager confirms that" in told
    assert 'name="weaken"' not in told
    page = manager.get(f"{address}/confirm", headers=HTML).text
    for sentence, children in (
        ("3 new children would count as approved by the manager.", "N-901, N-902, N-903"),
        ("One new child would count as paid for by the manager’s agreement.", "N-901"),
    ):
        for shown in (told, page):
            assert f"Who: {children}</p>" in shown.partition(sentence)[2].partition("</p>")[0] + "</p>"
            assert "new child" not in shown.partition(sentence)[2].partition("</p>")[0]  # nothing to unfold
    keys = re.findall(r'name="weaken" type="checkbox" value="([^"]+)"', page)
    stamp = re.search(r'name="stamp" value="([^"]+)"', page)
    assert stamp is not None
    assert len(keys) == 2
    form: dict[str, Any] = {"stamp": stamp[1], "reason": "new referrals"}
    for person, some, status in ((desk, [], 422), (desk, keys, 403), (manager, keys[:1], 422), (manager, keys, 303)):
        data = {**form, "weaken": some}
        answer = person.post(f"{address}/confirm", data=data, headers=HTML, follow_redirects=False)
        assert answer.status_code == status, answer.text
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        new = session.scalars(select(tables.Child).where(tables.Child.reference.startswith("N-90"))).all()
        facts = {row.reference: rows.child_record(row, True) for row in new}
    assert {name: (one.manager_approved, one.funding_agreed) for name, one in facts.items()} == {
        "N-901": (True, True), "N-902": (True, False), "N-903": (True, None)
    }  # fmt: skip


def test_what_was_confirmed_of_new_children_holds_for_no_others(service: Service) -> None:
    """A key is of these children: the same number of others is another thing to confirm."""

    def keys(text: str) -> list[str]:
        with service.database.read(service.north) as session:
            files = {"children.csv": text.encode(), "volunteers.csv": b"volunteer_id\nN-900\n"}
            reading = read_files(files, today())
            return [one.key for one in importing.look(Repository(session, service.keys), reading, today()).weaker]

    assert len(keys(NEW)) == 2
    assert not {*keys(NEW)} & {*keys(NEW.replace("N-90", "N-80"))}
    assert keys("child_id,manager_approved\nN-901,no\nN-902,\n") == []


def test_data_that_changed_meanwhile_are_looked_at_once_more_and_nothing_typed_is_lost(
    service: Service, small_county: Reading
) -> None:
    manager = service.as_(Role.MANAGER)
    address, form, no = ready(service, small_county, manager)
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        volunteer = session.scalars(select(tables.Volunteer)).first()
        assert volunteer is not None
        rows.write_volunteer(volunteer, rows.volunteer_record(volunteer))
    answer = manager.post(f"{address}/confirm", data=form, headers=HTML)
    assert answer.status_code == 409
    assert "Somebody changed something in Kith since you looked" in answer.text
    assert "From the October extract." in answer.text
    assert re.search(r'name="weaken"[^>]* checked', answer.text) is None  # each is confirmed as it is now
    with service.database.read(service.north) as session:
        assert session.scalars(select(tables.Child).where(tables.Child.reference == no)).one().objects
    assert browser_count(manager, address) == 2


def browser_count(browser: TestClient, address: str) -> int:
    """How many records the page says would change."""
    found = re.search(r"Changes <span>(\d+)<", browser.get(address).text)
    assert found
    return int(found[1])


def test_a_match_that_ended_before_kith_is_told_by_its_own_date_and_by_whom(
    service: Service, small_county: Reading
) -> None:
    """The pages had it end on the day of the import, and by nobody."""
    browser = service.as_(Role.COORDINATOR)
    knows, *others = [cells[0] for _, cells in small_county.grids["volunteers"].rows]
    rows = (
        "child_id,volunteer_id,status,family,started_on,ended_on,ended_by\n"
        f"N-1,{knows},ended,N-1,01/02/2024,12/03/2025,child\nN-2,{knows},ended,N-2,,,\n"
        f"N-3,{others[0]},ended,N-3,,01/02/2025,planned\n"
    )
    files = [
        ("files", one)
        for one in (
            ("matches.csv", rows.encode()), ("children.csv", b"child_id\n"), of(small_county, "volunteers"),
        )
    ]  # fmt: skip
    told = browser.post("/api/v1/imports/check", files=files).json()
    assert browser.post("/api/v1/imports", files=files, data={"stamp": told["stamp"]}).status_code == 201
    with service.database.read(service.north) as session:
        ended = {
            reference: id
            for id, reference in session.execute(
                select(tables.Match.id, tables.Child.reference)
                .join(tables.Child, tables.Child.id == tables.Match.child_id)
                .where(tables.Match.state == "ended", tables.Child.reference.startswith("N-"))
            )
        }
        volunteer = session.scalars(select(tables.Volunteer.id).where(tables.Volunteer.reference == knows)).one()
    page = browser.get("/proposals?show=over").text
    first = page.partition(">N-1 and")[2].partition("</tr>")[0]
    assert "12 Mar 2025" in first
    assert "By the child" in first
    assert page.index(">N-1 and") < page.index(">N-3 and")  # the last to end comes first
    second = page.partition(">N-2 and")[2].partition("</tr>")[0]
    assert "not recorded" in second
    assert "By whom is not recorded" in second
    assert "on 12 Mar 2025, by the child" in browser.get(f"/volunteers/{volunteer}").text
    page = browser.get(f"/proposals/{ended['N-1']}").text
    assert "It ended on 12 March 2025, by the child." in page
    assert "it began on 1 February 2024 and ended on 12 March 2025" in page
    assert "It ended on 1 February 2025, as planned." in browser.get(f"/proposals/{ended['N-3']}").text


def test_a_note_of_columns_that_are_not_there_leads_to_the_template_and_to_no_command(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    page = browser.get(
        send(browser, ("children.csv", b"child_id,family\nC9501,none\n")) + "?show=notes", headers=HTML
    ).text
    note = page.partition("has no column")[2].partition("</li>")[0]
    assert "kith template" not in page
    assert 'href="/imports/templates/children"' in note
    assert browser.get("/imports/templates/children").status_code == 200

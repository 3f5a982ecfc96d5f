"""The pages of an import: every state of the way, over HTTP, and in a real browser."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from html import unescape
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from browser import HOSTILE, Site, faults
from conftest import Service
from fastapi.testclient import TestClient
from playwright.sync_api import Page
from python_calamine import CalamineWorkbook
from service_rows import cell, files_of
from sqlalchemy import select

from matcher.instance import today
from matcher.readers import Reading, read_files
from matcher.writing.xlsx import Book
from service import importing, privacy
from service.database import tables
from service.database.base import utc_now
from service.database.engine import Database
from service.importing import finding, uploads
from service.permissions import Role
from service.repository import Repository

HTML = {"Accept": "text/html"}
FOREIGN = Path(__file__).parents[2] / "data" / "samples" / "foreign" / "ssda903-children.csv"


def send(browser: TestClient, *files: tuple[str, bytes]) -> str:
    """Files sent to be looked at; the address where they are."""
    sent = [("files", one) for one in files]
    answer = browser.post("/imports", files=sent, headers=HTML, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def of(county: Reading, sheet: str, change: dict[tuple[str, str, str], str] | None = None) -> tuple[str, bytes]:
    """One file of the county, with other cells in it."""
    return next(file for _, file in files_of(county, change) if file[0] == f"{sheet}.csv")


def columns_form(page: str, **other: str) -> dict[str, str]:
    """The form of the columns as it stands on the page, every column ticked."""
    form = {"shown": "children", "sheet": "children"}
    for name, options in re.findall(
        r'<select class="govuk-select"[^>]* name="([^"]+)"[^>]*>(.*?)</select>', page, re.S
    ):
        chosen = re.search(r'value="([^"]*)" selected', options)
        form[name] = chosen[1] if chosen else ""
    form |= dict.fromkeys(re.findall(r'name="(right-\d+)"', page), "1")
    return form | other


# ---- sending ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([], "No file was sent"),
        ([("children.pdf", b"%PDF")], "neither a CSV nor an XLSX file"),
        ([("children.csv", b"")], "is empty"),
        ([("children.csv", b"child_id\nC1\n"), ("CHILDREN.CSV", b"child_id\nC2\n")], "are both children"),
        ([(f"{n}.csv", b"x\n") for n in range(11)], "more than Kith reads at once"),
        ([(f"{'x' * 200}.csv", b"x\n")], "too long a name"),
    ],
)
def test_what_cannot_be_looked_at_is_told_where_it_was_sent(
    service: Service, files: list[tuple[str, bytes]], told: str
) -> None:
    browser = service.as_(Role.COORDINATOR)
    answer = browser.post("/imports", files=[("files", one) for one in files] or None, headers=HTML)
    assert answer.status_code == 422
    assert told in answer.text
    assert "Nothing was sent" in answer.text
    with service.database.read(service.north) as session:
        assert session.scalars(select(tables.Upload)).all() == []


def test_what_is_sent_is_sealed_and_gone_when_thrown_away_or_after_a_day(
    service: Service, small_county: Reading
) -> None:
    browser = service.as_(Role.COORDINATOR)
    canary = small_county.grids["children"].rows[0][1][0]
    address = send(browser, of(small_county, "children"))
    with service.database.read(service.north) as session:
        row = session.scalars(select(tables.Upload)).one()
        assert canary.encode() not in row.content + row.layouts
        assert b"children.csv" not in row.content + row.layouts
    assert browser.get(address).status_code == 200
    browser.post(f"{address}/discard")
    assert browser.get(address, headers=HTML).status_code == 404
    address = send(browser, of(small_county, "children"))
    with service.database.write(service.north) as session:
        session.scalars(select(tables.Upload)).one().at = utc_now() - uploads.KEPT - timedelta(minutes=1)
    assert browser.get(address, headers=HTML).status_code == 404
    with service.database.write(service.north) as session:
        assert privacy.sweep(Repository(session, service.keys), 24) == 1
        assert session.scalars(select(tables.Upload)).all() == []


def test_files_are_read_before_anything_is_locked_to_write(
    service: Service, small_county: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing: list[bool] = []
    read: list[bool] = []
    write, grid = Database.write, finding.read_grid

    @contextmanager
    def noted(self: Database, authority: str | None = None) -> Iterator[Any]:
        with write(self, authority) as session:
            writing.append(True)
            try:
                yield session
            finally:
                writing.pop()

    def read_grid(*args: Any, **named: Any) -> Any:
        read.append(bool(writing))
        return grid(*args, **named)

    monkeypatch.setattr(Database, "write", noted)
    monkeypatch.setattr(finding, "read_grid", read_grid)
    send(service.as_(Role.COORDINATOR), of(small_county, "children"))
    assert read
    assert not any(read)


def test_a_large_file_is_never_spooled_to_disk(
    service: Service, small_county: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spooled(_file: object) -> None:
        pytest.fail("a file about children was written to disk")

    browser = service.as_(Role.COORDINATOR)
    name, content = of(small_county, "children")
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", spooled)
    assert send(browser, (name, content + b"\n" * 3_000_000))


@pytest.mark.parametrize("sheet", ["all", "children", "volunteers", "matches", "declined", "authorities", "exceptions"])
def test_a_blank_workbook_comes_back_as_it_is_read(service: Service, sheet: str) -> None:
    browser = service.as_(Role.COORDINATOR)
    answer = browser.get(f"/imports/templates/{sheet}")
    assert answer.headers["content-disposition"] == f'attachment; filename="{sheet}.xlsx"'
    page = browser.get(send(browser, (f"{sheet}.xlsx", answer.content))).text
    assert "Nothing that is in Kith would change" in page


# ---- columns ---------------------------------------------------------------------------------------------------------


def test_columns_are_confirmed_one_by_one_and_kept_for_the_next_file(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    address = send(browser, (FOREIGN.name, FOREIGN.read_bytes()))
    page = browser.get(address, headers=HTML)
    assert page.url.path == f"{address}/columns"
    form = columns_form(page.text, **{"every-responsible_authority": "West Northamptonshire"})
    left = {name: value for name, value in form.items() if name != "right-2"}
    refused = browser.post(f"{address}/columns", data=left, headers=HTML)
    assert refused.status_code == 422
    assert "One column is not confirmed yet: DOB." in refused.text
    assert 'value="West Northamptonshire"' in refused.text  # what was typed is kept
    hostile = browser.post(f"{address}/columns", data={**form, "every-responsible_authority": HOSTILE}, headers=HTML)
    assert hostile.status_code == 422
    assert "<script>window" not in hostile.text
    twice = browser.post(f"{address}/columns", data={**form, "column-4": "gender"}, headers=HTML)
    assert "SEX and UPN cannot both be gender" in twice.text
    answer = browser.post(f"{address}/columns", data=form, headers=HTML, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, address)
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        upload = uploads.find(rows, address.rsplit("/", 1)[1])
        read = upload.reading(today())
        assert read.given["children"] == len(FOREIGN.read_bytes().splitlines()) - 1
        assert {child.responsible_authority for child in read.records["children"]} <= {"E06000062"}
    again = send(browser, ("next-month.csv", FOREIGN.read_bytes()))
    page = browser.get(again, headers=HTML)
    assert page.url.path.endswith("/columns")  # the next file may be of another council: it is shown, and asked
    assert 'value="West Northamptonshire"' in page.text
    assert "As it was said of an earlier file" in page.text
    form = columns_form(page.text, **{"every-responsible_authority": ""})
    browser.post(f"{again}/columns", data=form, headers=HTML)
    last = browser.get(send(browser, ("in-two-months.csv", FOREIGN.read_bytes())), headers=HTML)
    assert not last.url.path.endswith("/columns")  # nobody is asked twice what is so of every such file
    south = service.as_(Role.COORDINATOR, "south")
    assert south.get(send(south, (FOREIGN.name, FOREIGN.read_bytes())), headers=HTML).url.path.endswith("/columns")


def a_workbook(*worksheets: tuple[str, list[tuple[str, ...]]]) -> bytes:
    """Rows by worksheet; all cells are text."""
    book = Book(today())
    for name, rows in worksheets:
        page = book.book.add_worksheet(name)
        for row, cells in enumerate(rows):
            for at, text in enumerate(cells):
                page.write_string(row, at, text)
    return book.content()


def all_in_one(county: Reading) -> bytes:
    """The county in one workbook, as a coordinator keeps it: a worksheet a sheet, and notes."""
    rows = {name: [grid.heading, *(cells for _, cells in grid.rows)] for name, grid in county.grids.items()}
    return a_workbook(("Notes", [("To do", "Ring Ann")]), *((name.capitalize(), some) for name, some in rows.items()))


def test_one_workbook_is_read_as_all_the_sheets_it_holds(service: Service, small_county: Reading) -> None:
    browser = service.as_(Role.COORDINATOR)
    address = send(browser, ("Our visitors.xlsx", all_in_one(small_county)))
    page = browser.get(address, headers=HTML)
    assert page.url.path == address  # nothing has to be asked
    for sheet, grid in small_county.grids.items():
        assert f"Our visitors.xlsx, worksheet {sheet.capitalize()}:" in page.text
        with service.database.read(service.north) as session:
            read = uploads.find(Repository(session, service.keys), address.rsplit("/", 1)[1]).reading(today())
        assert read.given[sheet] == len(grid.rows)
    assert "worksheet Notes: <b>not read</b>" in page.text
    files = [("files", ("Our visitors.xlsx", all_in_one(small_county)))]
    echo = browser.post("/api/v1/imports/check", files=files).json()
    assert echo["usable"]
    assert echo["same"]["children"] == len(small_county.grids["children"].rows)


def test_problems_of_one_workbook_stand_beside_the_rows_of_their_own_worksheet(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    children = [("child_id", "date_of_birth"), ("C9001", "soon")]
    volunteers = [("volunteer_id", "date_of_birth", "status"), ("V9001", "01/01/1980", "keen")]
    address = send(browser, ("x.xlsx", a_workbook(("children", children), ("volunteers", volunteers))))
    text = re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", browser.get(address).text))
    assert re.search(r"x.xlsx \(children\), row 2 C9001 date of birth : soon", text)
    assert re.search(r"x.xlsx \(volunteers\), row 2 V9001 status : keen", text)


def test_the_worksheet_and_the_row_of_the_headings_are_a_persons_to_choose_and_kept(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    people = [("Kept by the team",), (), ("Young person", "Born", "Gender"), ("C9001", "01/02/2012", "male")]
    content = a_workbook(("Summary", [("Year", "Visits"), ("2025", "31")]), ("YP list", people))
    address = send(browser, ("export.xlsx", content))
    page = browser.get(address, headers=HTML)
    assert page.url.path == f"{address}/columns"
    assert "export.xlsx, worksheet Summary" in page.text
    # Another worksheet: the row that was chosen beside the first says nothing of it.
    chosen = {"file": "0", "worksheet": "1", "beside": "0", "row": "2"}
    page = browser.get(f"{address}/columns", params=chosen, headers=HTML)
    assert "3: Young person" in page.text
    page = browser.get(f"{address}/columns", params={**chosen, "beside": "1", "row": "1"}, headers=HTML)
    assert re.search(r'<option value="1" selected>1: Kept by the team', page.text)
    page = browser.get(f"{address}/columns", params={**chosen, "beside": "1", "row": "3"}, headers=HTML)
    assert re.search(r'<option value="3" selected>3: Young person', page.text)
    form = columns_form(page.text, **{"column-0": "child_id", "column-1": "date_of_birth", "column-2": "gender"})
    action = unescape(re.search(r'<form method="post" action="([^"]*/columns[^"]*)"', page.text)[1])  # type: ignore[index]
    answer = browser.post(action, data=form, headers=HTML, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, address)
    with service.database.read(service.north) as session:
        read = uploads.find(Repository(session, service.keys), address.rsplit("/", 1)[1]).reading(today())
    assert [child.id for child in read.records["children"]] == ["C9001"]
    assert read.rows["children"] == (4,)
    page = browser.get(send(browser, ("next month.xlsx", content)), headers=HTML)
    assert not page.url.path.endswith("/columns")  # the worksheet and the row are found again
    assert "next month.xlsx, worksheet YP list: children" in re.sub("<[^>]*>", "", page.text)


def test_what_holds_nothing_for_kith_is_left_out_and_said_so(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    headings, notes = [("child_id", "gender")], [("Year", "Visits"), ("2025", "31")]
    content = a_workbook(("Children", headings), ("Matches", notes), ("Exceptions", []))
    address = send(browser, ("x.xlsx", content))
    page = browser.get(address, headers=HTML)
    assert page.url.query == b"file=0&worksheet=1"  # called like a sheet, and not headed like one
    form = columns_form(page.text, shown="matches", sheet="nothing")
    page = browser.post(f"{address}/columns?file=0&worksheet=1&row=1", data=form, headers=HTML)
    assert page.url.path == address
    for name in ("Matches", "Exceptions"):  # the second is blank: nobody is asked about it
        assert f"worksheet {name}: <b>not read</b>" in page.text
    with service.database.read(service.north) as session:
        found = uploads.find(Repository(session, service.keys), address.rsplit("/", 1)[1])
    assert set(found.reading(today()).given) == {"children"}


def test_a_word_of_theirs_means_what_a_person_said(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    file = b"child_id,sex,agrees\nC9,girl,AGREED\n"
    address = send(browser, ("ours.csv", file))
    page = browser.get(address, headers=HTML)
    assert "Words that Kith does not know" in page.text
    form = columns_form(page.text, **{"word-agrees-0": "yes"})
    browser.post(f"{address}/columns", data=form, headers=HTML)
    with service.database.read(service.north) as session:
        upload = uploads.find(Repository(session, service.keys), address.rsplit("/", 1)[1])
        child = upload.reading(today()).records["children"][0]
    assert (child.agrees, child.gender) == ("yes", "female")


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
    assert told in browser.get(send(browser, (name, content)), headers=HTML).text


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
    assert re.search(r"Agrees</th>\s*<td[^>]*>no</td>\s*<td[^>]*>yes</td>", row)
    assert "One safeguard would weaken" in page
    assert "A manager confirms each by itself" in page
    assert "<script>" not in page.partition("<main")[2].replace("</script>", "")
    with service.database.read(service.north) as session:
        entry = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.reason == "import")).all()[-1]
        child = session.scalars(select(tables.Child.id).where(tables.Child.reference == no)).one()
    assert child in entry.details["children"]  # that what is kept of them was shown


def test_a_column_is_called_as_a_coordinator_calls_it(service: Service, small_county: Reading) -> None:
    browser = service.as_(Role.COORDINATOR)
    person = cell(small_county, "volunteers", "status", "approved")
    days = {"dbs_checked_on": today() - timedelta(days=1), "mot_until": today() + timedelta(days=500)}
    changes = {("volunteers", person, column): f"{day:%d/%m/%Y}" for column, day in days.items()}
    address = send(browser, of(small_county, "volunteers", changes))
    row = browser.get(address).text.partition(f">{person}<")[2]
    assert re.search(r"DBS checked on</th>.*MOT until</th>", row, re.S)
    columns = browser.get(f"{address}/columns?file=0").text
    assert ">DBS checked on</option>" in columns
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
            assert children in shown.partition(sentence)[2].partition("</details>")[0]
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


# ---- in a browser ----------------------------------------------------------------------------------------------------


def upload(page: Page, site: Site, *files: tuple[str, bytes]) -> None:
    page.goto(f"{site.at}/imports")
    page.set_input_files(
        "#files", [{"name": name, "mimeType": "text/csv", "buffer": content} for name, content in files]
    )
    page.get_by_role("button", name="Look at these files").click()
    page.wait_for_url(re.compile("/imports/files/Y"))  # the files are read meanwhile, and a key would go nowhere


def test_the_way_of_an_import_without_script(site: Site, small_county: Reading) -> None:
    """A file of another system, mapped by hand; then one with a problem; then a manager's confirmation."""
    page = site.page(script=False)
    upload(page, site, (FOREIGN.name, FOREIGN.read_bytes()))
    assert page.url.endswith("/columns?file=0")
    for box in page.get_by_label("That is right").all():
        box.check()
    page.get_by_label("The responsible authority of everybody").fill("West Northamptonshire")
    page.get_by_role("button", name="Read the file this way").click()
    assert "rows were given" in page.inner_text("main") or "What would change" in page.inner_text("h1")
    no = cell(small_county, "children", "agrees", "no")
    upload(page, site, of(small_county, "children", {("children", no, "agrees"): "perhaps"}))
    assert "perhaps" in page.inner_text("table")
    upload(page, site, of(small_county, "children", {("children", no, "agrees"): "yes"}))
    page.get_by_role("button", name="Go on to confirm").click()
    assert "a manager confirms that" in page.inner_text("main")
    page = site.page(Role.MANAGER, script=False)
    page.goto(f"{site.at}/imports")
    page.get_by_role("link", name="Files of").first.click()
    page.get_by_role("button", name="Go on to confirm").click()
    page.get_by_role("button", name="Take these files in").click()
    assert "Choose why you take these files in." in page.inner_text(".govuk-error-summary")
    page.get_by_label("Corrections").check()
    page.get_by_label("Anything to add").fill(HOSTILE)
    page.get_by_role("button", name="Take these files in").click()
    assert "not confirmed" in page.inner_text(".govuk-error-summary")
    assert page.input_value("#note") == HOSTILE
    page.get_by_label(no).check()
    page.get_by_role("button", name="Take these files in").click()
    assert "were taken in" in page.inner_text("main")
    assert HOSTILE in page.inner_text("main")


def test_no_state_of_an_import_has_a_fault_that_axe_finds_nor_is_cut_off(site: Site, small_county: Reading) -> None:
    page, found = site.page(Role.MANAGER), []
    name = f"{HOSTILE.replace('/', '')[:60]}.csv"
    first, second = (cells[0] for _, cells in small_county.grids["children"].rows[:2])
    headings = f'child_id,"{HOSTILE.replace(chr(34), "")}",agrees\n'
    bad = {("children", first, "date_of_birth"): HOSTILE, ("children", second, "interests"): "=cmd()"}
    weaker = {("volunteers", small_county.grids["volunteers"].rows[0][1][0], "references_accepted"): "9",
              ("children", first, "coordinator"): HOSTILE, ("children", first, "placement"): "NN1 1AA"}  # fmt: skip
    states = [
        [(name, f"{headings}C1,{'x' * 30},{'y' * 60}\n".encode())],
        [("unreadable.csv", b"\0")],
        [("several.xlsx", a_workbook(("A", [(HOSTILE,), ("x" * 60, "child_id")]), ("y" * 31, [("child_id",)])))],
        [("All of ours.xlsx", all_in_one(small_county))],
        [of(small_county, "children", bad)],
        [of(small_county, "children", weaker), of(small_county, "volunteers", weaker)],
    ]
    for files in states:
        upload(page, site, *files)
        found += faults(page, page.url)
        assert page.evaluate("window.ran") is None
    looked = page.url
    for rest in ("?show=notes", "/confirm"):
        found += faults(page, looked + rest)
    page.goto(f"{site.at}/imports")
    page.get_by_role("button", name="Look at these files").click()
    assert "No file was sent" in page.inner_text(".govuk-error-summary")
    found += faults(page, f"{site.at}/imports")
    page.get_by_role("link", name=re.compile("at .*m$")).last.click()
    found += faults(page, page.url)
    assert found == []


def test_an_import_by_keyboard_alone(site: Site, small_county: Reading) -> None:
    """From the files to the button that takes them in: each stop has a focus that can be seen."""
    page = site.page(Role.MANAGER)
    first = small_county.grids["children"].rows[0][1][0]
    upload(page, site, of(small_county, "children", {("children", first, "coordinator"): "Coordinator Z"}))

    def until(seen: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            style = "getComputedStyle(document.activeElement)"
            around = page.evaluate(f"{style}.outlineStyle + {style}.boxShadow")
            before = page.evaluate("getComputedStyle(document.activeElement, '::before').boxShadow")
            assert around != "nonenone" or before != "none", "focus that cannot be seen"
            if page.evaluate(f"document.activeElement.matches({seen!r})"):
                return
        pytest.fail(f"no way to {seen}")

    until("a.govuk-button")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/confirm$"))
    until("input[name=reason]")
    page.keyboard.press("Space")
    until("#note")
    until("main button.govuk-button")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/imports/I"))
    assert "were taken in" in page.inner_text("main")


def test_a_file_that_is_too_large_is_told_in_a_page(site: Site, tmp_path: Path) -> None:
    page = site.page()
    (tmp_path / "children.csv").write_bytes(b"x" * (21 << 20))
    page.goto(f"{site.at}/imports")
    page.set_input_files("#files", tmp_path / "children.csv")
    page.get_by_role("button", name="Look at these files").click()
    assert "The most is 20 MB" in page.inner_text("main")

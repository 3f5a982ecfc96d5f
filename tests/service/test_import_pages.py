"""The pages of an import: files sent, their columns said, and the whole way in a real browser."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from browser import HOSTILE, Site, faults
from conftest import Service
from page_reading import sent
from playwright.sync_api import Page
from service_rows import cell, of, send
from sqlalchemy import select

from matcher.instance import today
from matcher.readers import Reading
from matcher.reading.xlsx import MOST_COLUMNS
from matcher.writing.xlsx import Book
from service import retention
from service.database import tables
from service.database.base import utc_now
from service.database.engine import Database
from service.importing import finding, uploads
from service.pages import looked
from service.permissions import Role
from service.repository import Repository

HTML = {"Accept": "text/html"}
FOREIGN = Path(__file__).parents[2] / "data" / "samples" / "foreign" / "ssda903-children.csv"


def columns_form(page: str, **other: str) -> dict[str, str]:
    """The form of the columns as it stands on the page, every column ticked."""
    form = {"shown": "children", "sheet": "children"}
    for name, options in re.findall(
        r'<select class="govuk-select"[^>]* name="([^"]+)"[^>]*>(.*?)</select>', page, re.S
    ):
        chosen = re.search(r'value="([^"]*)" selected', options)
        form[name] = chosen[1] if chosen else ""
    for name, value in re.findall(r'name="(column-\d+)" list="columns" value="([^"]*)"', page):
        form[name] = unescape(value)
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
        assert retention.sweep(Repository(session, service.keys), 24) == {"files looked at": 1}
        assert session.scalars(select(tables.Upload)).all() == []


def test_that_files_wait_is_told_on_the_first_page_of_whoever_may_take_them_in(
    service: Service, small_county: Reading
) -> None:
    """What a coordinator sent is often for a manager to confirm, and gone after a day."""
    manager, told = service.as_(Role.MANAGER), "One import waits to be looked at"
    assert told not in manager.get("/").text
    send(service.as_(Role.COORDINATOR), of(small_county, "children"))
    assert told in service.as_(Role.MANAGER).get("/").text


@pytest.mark.parametrize("kept", [True, False])
def test_files_are_read_before_anything_is_locked_to_write(
    service: Service, small_county: Reading, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    """As they are sent and as they are taken in, whether this process looked at them before or another one."""
    writing: list[bool] = []
    read: list[bool] = []
    write, grid, files = Database.write, finding.read_grid, uploads.read_files

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

    def read_files(*args: Any, **named: Any) -> Any:
        read.append(bool(writing))
        return files(*args, **named)

    monkeypatch.setattr(Database, "write", noted)
    monkeypatch.setattr(finding, "read_grid", read_grid)
    monkeypatch.setattr(uploads, "read_files", read_files)
    looked._KEPT.clear()
    browser = service.as_(Role.COORDINATOR)
    child = small_county.records["children"][0].id
    at = send(browser, of(small_county, "children", {("children", child, "coordinator"): "Somebody new"}))
    page = browser.get(f"{at}/confirm", headers=HTML).text
    assert len(read) > 1
    if not kept:
        looked._KEPT.clear()
    stamp = re.search(r'name="stamp" value="(\w+)"', page)
    assert stamp is not None
    answer = browser.post(f"{at}/confirm", data={"stamp": stamp[1], "reason": "corrections"}, headers=HTML)
    assert "were taken in" in answer.text
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
    assert '<option value="family (Brothers and sisters)"></option>' in page.text
    form = columns_form(page.text, **{"every-responsible_authority": "West Northamptonshire"})
    left = {name: value for name, value in form.items() if name != "right-2"}
    refused = browser.post(f"{address}/columns", data=left, headers=HTML)
    assert refused.status_code == 422
    assert "One column is not confirmed yet: DOB." in refused.text
    assert 'value="West Northamptonshire"' in refused.text  # what was typed is kept
    hostile = browser.post(f"{address}/columns", data={**form, "every-responsible_authority": HOSTILE}, headers=HTML)
    assert hostile.status_code == 422
    assert "<script>window" not in hostile.text
    strange = browser.post(f"{address}/columns", data={**form, "column-4": "gendre"}, headers=HTML)
    assert strange.status_code == 422
    assert "“gendre” is not among Kith’s columns." in unescape(strange.text)
    assert 'href="#column-4"' in strange.text
    assert 'name="column-4" list="columns" value="gendre"' in strange.text
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


# ---- in a browser ----------------------------------------------------------------------------------------------------


def test_the_columns_of_a_wide_file_are_a_page_of_less_than_150_kb(service: Service) -> None:
    """With its style and script: pages are sent as they are, since a compressed one would tell what stands in it."""
    browser = service.as_(Role.COORDINATOR)
    headings = ",".join(f"A heading of another system {number}" for number in range(60))
    wide = f"child_id,{headings}\nC9001{',some words' * 60}\n"
    page = browser.get(f"{send(browser, ('wide.csv', wide.encode()))}/columns", headers=HTML)
    assert page.text.count('list="columns"') == 61
    assert sent(browser, page) < 150_000


def test_a_part_that_cannot_be_read_leads_on_to_what_can(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    wide = [tuple(f"heading {number}" for number in range(MOST_COLUMNS + 1))]
    address = send(browser, ("several.xlsx", a_workbook(("A", wide), ("B", [("child_id",), ("C9001",)]))))
    page = browser.get(f"{address}/columns?file=0&row=2&beside=0", headers=HTML)
    assert page.status_code == 422
    main = page.text.partition("<main")[2]
    for link in ("/columns?file=0&amp;worksheet=1", "/columns?file=0", ""):
        assert f'href="{address}{link}"' in main, link


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
    now = page.locator(".kith-way [aria-current=step]")
    assert now.inner_text() == "2. Columns"
    for box in page.get_by_label("That is right").all():
        box.check()
    page.get_by_label("The responsible authority of everybody").fill("West Northamptonshire")
    page.get_by_role("button", name="Read the file this way").click()
    assert "rows were given" in page.inner_text("main") or "What would change" in page.inner_text("h1")
    no = cell(small_county, "children", "agrees", "no")
    upload(page, site, of(small_county, "children", {("children", no, "agrees"): "perhaps"}))
    assert "perhaps" in page.inner_text("table")
    assert now.inner_text() == "3. Problems"
    upload(page, site, of(small_county, "children", {("children", no, "agrees"): "yes"}))
    assert now.inner_text() == "4. What changes"
    page.get_by_role("button", name="Go on to confirm").click()
    assert now.inner_text() == "5. Confirm"
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
        [("children.csv", 'child_id,coordinator\nN-1,"{}"\n'.format(HOSTILE.replace('"', '""')).encode())],
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


def test_files_are_thrown_away_by_their_sender_or_a_manager(service: Service, small_county: Reading) -> None:
    sender, other = service.as_(Role.COORDINATOR), service.as_(Role.MANAGER)
    address = send(other, of(small_county, "children"))
    assert "Throw these files away" not in sender.get(address).text
    assert sender.post(f"{address}/discard", headers=HTML).status_code == 403
    assert other.get(address).status_code == 200
    address = send(sender, of(small_county, "children"))
    assert "Throw these files away" in sender.get(address).text
    assert other.post(f"{address}/discard", follow_redirects=False).status_code == 303
    with service.database.read(service.north) as session:
        said = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.action.contains("thrown"))).one()
    assert (said.actor, said.subject) == (service.users["north", Role.MANAGER], address.rsplit("/", 1)[1])
    assert said.details == {"sender": service.users["north", Role.COORDINATOR]}


def test_a_worksheet_that_is_not_read_is_told_before_it_is_confirmed_and_over_the_api(service: Service) -> None:
    content = BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    for name, reference in (("children", "N-1"), ("Young people", "N-2")):
        page = book.add_worksheet(name)
        page.write_row(0, 0, ["child_id", "agrees"])
        page.write_row(1, 0, [reference, "yes"])
    book.close()
    files = [("children.xlsx", content.getvalue()), ("volunteers.csv", b"volunteer_id\n")]
    browser = service.as_(Role.COORDINATOR)
    page = browser.get(f"{send(browser, *files)}/confirm").text
    assert "Not read: children.xlsx, worksheet Young people." in page
    told = browser.post("/api/v1/imports/check", files=[("files", one) for one in files]).json()
    assert [(one["file"], one["wrong"]) for one in told["problems"] if "not read" in one["wrong"]] == [
        ("children.xlsx (Young people)", "is not read: another worksheet of the file is")
    ]
    assert told["usable"]
    content = BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    for name in ("Sheet1", "Sheet2"):  # the first is read, as none is called like the sheet
        book.add_worksheet(name).write_row(0, 0, ["child_id", "agrees"])
    book.close()
    files = [("children.xlsx", content.getvalue()), ("volunteers.csv", b"volunteer_id\n")]
    told = browser.post("/api/v1/imports/check", files=[("files", one) for one in files]).json()
    assert [one["file"] for one in told["problems"] if "not read" in one["wrong"]] == ["children.xlsx (Sheet2)"]
    whole = [("files", ("all.xlsx", browser.get("/imports/templates/all").content))]
    told = browser.post("/api/v1/imports/check", files=whole).json()
    assert [one for one in told["problems"] if "not read" in one["wrong"]] == []  # what explains is no sheet

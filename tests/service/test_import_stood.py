"""A fault that Kith has recorded already keeps nothing else of its row out; one that files bring is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from conftest import Service
from service_rows import send

from matcher import records
from matcher.errors import InputError
from matcher.instance import today
from matcher.readers import read_files
from service import importing, people
from service.permissions import Role
from service.repository import Repository

LONG_AGO = date(1990, 5, 3)


def stored(service: Service, kind: str, **facts: Any) -> tuple[str, str]:
    """Somebody who has these facts in Kith, however they came there: the id and the reference."""
    child, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        if kind == "children":
            row = rows.child(child)
            rows.write_child(row, replace(rows.child_record(row, family_known=False), **facts))
            return row.id, row.reference
        one = rows.volunteer(volunteer)
        rows.write_volunteer(one, replace(rows.volunteer_record(one), **facts))
        return one.id, one.reference


def record(service: Service, id: str) -> Any:
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        if id.startswith("C"):
            return rows.child_record(rows.child(id), family_known=False)
        return rows.volunteer_record(rows.volunteer(id))


def a_file(sheet: str, reference: str, **cells: str) -> tuple[str, bytes]:
    key = {"children": "child_id", "volunteers": "volunteer_id"}[sheet]
    row = {key: reference, **cells}
    return f"{sheet}.csv", f"{','.join(row)}\n{','.join(row.values())}\n".encode()


def other_file(sheet: str) -> tuple[str, bytes]:
    return {"children": ("volunteers.csv", b"volunteer_id\n"), "volunteers": ("children.csv", b"child_id\n")}[sheet]


def taken_in(service: Service, sheet: str, file: tuple[str, bytes]) -> list[str]:
    """Takes a file in as the API does; what was told of its rows."""
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        reading = read_files(dict((file, other_file(sheet))), today(), stood=importing.stood(rows, today()))
        echo = importing.look(rows, reading, today())
        importing.take_in(
            rows, reading, today(), user_id=service.users["north", Role.MANAGER],
            confirmed={one.key for one in echo.weaker}, reason="corrections",
        )  # fmt: skip
        return [f"{one.column}: {one.value} {one.wrong}" for one in reading.problems if one.column]


def refused(service: Service, sheet: str, file: tuple[str, bytes]) -> list[str]:
    with pytest.raises(InputError) as error:
        taken_in(service, sheet, file)
    return [f"{one.column}: {one.value} {one.wrong}" for one in error.value.problems if one.column]


def on(day: date) -> str:
    return f"{day:%d/%m/%Y}"


FAULTS: dict[str, tuple[str, dict[str, Any], dict[str, str], str]] = {
    "numbers at odds": (
        "volunteers", {"references_accepted": 1, "professional_references": 3},
        {"references_accepted": "1", "professional_references": "3"},
        "professional_references: 3 is more than all the references accepted",
    ),
    "a day to come": (
        "volunteers", {"dbs_checked_on": today() + timedelta(days=9)}, {"dbs_checked_on": on(today() + timedelta(9))},
        f"dbs_checked_on: {on(today() + timedelta(9))} is after",
    ),
    "too old by now": (
        "children", {"date_of_birth": LONG_AGO}, {"date_of_birth": on(LONG_AGO)},
        "date_of_birth: 03/05/1990 is not a child's",
    ),
    "a birth to come": (
        "children", {"date_of_birth": today() + timedelta(days=40)}, {"date_of_birth": on(today() + timedelta(40))},
        f"date_of_birth: {on(today() + timedelta(40))} is after",
    ),
}  # fmt: skip


@pytest.mark.parametrize("which", FAULTS)
def test_what_stood_before_keeps_nothing_else_of_the_row_out(service: Service, which: str) -> None:
    sheet, facts, cells, told = FAULTS[which]
    id, reference = stored(service, sheet, **facts)
    note, *_ = taken_in(service, sheet, a_file(sheet, reference, **cells, languages="Polish"))
    assert note.startswith(told)
    assert note.endswith(", and was recorded so before")
    after = record(service, id)
    assert after.languages == ("pl",)
    assert {name: getattr(after, name) for name in facts} == facts  # as it stood: nothing is made of it


@pytest.mark.parametrize("which", FAULTS)
def test_the_same_fault_is_refused_where_nobody_has_recorded_it(service: Service, which: str) -> None:
    sheet, _, cells, told = FAULTS[which]
    id, reference = stored(service, sheet)
    before = record(service, id)
    problem, *_ = refused(service, sheet, a_file(sheet, reference, **cells, languages="Polish"))
    assert problem.startswith(told)
    assert refused(service, sheet, a_file(sheet, "QX-7100", **cells))  # nor of somebody who is new
    assert record(service, id) == before


@pytest.mark.parametrize("which", FAULTS)
def test_it_is_told_on_the_page_of_whom_it_is_about(service: Service, which: str) -> None:
    sheet, facts, _, told = FAULTS[which]
    id, reference = stored(service, sheet, **facts)
    wrong = told.partition(": ")[2].replace("'", "&#39;")
    browser = service.as_(Role.COORDINATOR)
    for page in (f"/{sheet}/{id}", "/"):
        assert f"{reference}, " in browser.get(page).text
        assert wrong in browser.get(page).text, page


def test_a_childs_no_is_taken_in_beside_a_fault_that_stood_before(service: Service) -> None:
    id, reference = stored(service, "children", date_of_birth=LONG_AGO)
    taken_in(service, "children", a_file("children", reference, date_of_birth=on(LONG_AGO), agrees="no"))
    assert record(service, id).agrees is records.Agreement.NO
    assert record(service, id).looked_after is not False  # that they are too old by now is the calendar's word


def test_nobody_too_old_is_matched_by_a_file_that_says_their_birth_again(service: Service) -> None:
    _, reference = stored(service, "children", date_of_birth=LONG_AGO)
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        visitor = rows.volunteer(service.eligible_pair()[1]).reference
        files = dict([
            a_file("children", reference, date_of_birth=on(LONG_AGO)), a_file("volunteers", visitor),
            ("matches.csv", f"child_id,volunteer_id,status\n{reference},{visitor},current\n".encode()),
        ])  # fmt: skip
        reading = read_files(files, today(), stood=importing.stood(rows, today()))
        told = importing.look(rows, reading, today()).weaker
    assert [one.sentence for one in told] == [f"would be current, against a rule. {reference}'s care has ended."]


def test_another_wrong_fact_in_its_place_is_the_files_own(service: Service) -> None:
    """The fault is of the same column, but somebody wrote it now: whichever of the two facts they changed."""
    _, volunteer = stored(service, "volunteers", references_accepted=1, professional_references=3)
    wrong = "is more than all the references accepted"
    file = a_file("volunteers", volunteer, references_accepted="1", professional_references="4")
    assert refused(service, "volunteers", file) == [f"professional_references: 4 {wrong}"]
    file = a_file("volunteers", volunteer, references_accepted="2", professional_references="3")
    assert refused(service, "volunteers", file) == [f"professional_references: 3 {wrong}"]
    _, child = stored(service, "children", date_of_birth=LONG_AGO)
    assert refused(service, "children", a_file("children", child, date_of_birth="04/05/1990"))


def test_a_file_that_lacks_the_other_fact_is_held_against_what_kith_has_of_it(service: Service) -> None:
    """By itself the file is in order: Kith's other fact makes it one that cannot be."""
    id, volunteer = stored(service, "volunteers", references_accepted=3, professional_references=3)
    (problem,) = refused(service, "volunteers", a_file("volunteers", volunteer, references_accepted="2"))
    assert problem == "professional_references: 3 is more than all the references accepted"
    assert record(service, id).references_accepted == 3
    born = record(service, id).date_of_birth
    (problem,) = refused(
        service, "volunteers", a_file("volunteers", volunteer, core_training_on=on(born - timedelta(1)))
    )
    assert problem.endswith("is before the date of birth")


def test_a_fault_that_stood_is_corrected_by_a_file(service: Service) -> None:
    id, volunteer = stored(service, "volunteers", references_accepted=1, professional_references=3)
    file = a_file("volunteers", volunteer, references_accepted="3", professional_references="3")
    assert taken_in(service, "volunteers", file) == []
    assert record(service, id).references_accepted == 3


def test_the_pages_and_programs_take_such_a_row(service: Service) -> None:
    _, volunteer = stored(service, "volunteers", references_accepted=1, professional_references=3)
    cells = {"references_accepted": "1", "professional_references": "3", "languages": "Polish"}
    file = a_file("volunteers", volunteer, **cells)
    page = service.as_(Role.COORDINATOR).get(f"{send(service.as_(Role.COORDINATOR), file)}?show=notes").text
    assert "is more than all the references accepted, and was recorded so before" in page
    files = [("files", file), ("files", other_file("volunteers"))]
    program = service.as_(Role.COORDINATOR)
    told = program.post("/api/v1/imports/check", files=files).json()
    assert told["usable"], told
    assert not any(one["rejected"] for one in told["problems"])
    assert program.post("/api/v1/imports", files=files, data={"stamp": told["stamp"]}).status_code == 201


def test_what_was_mended_meanwhile_is_a_fault_of_the_file(service: Service) -> None:
    """The files were read while the fault stood, and it is gone as they are taken in: they would bring it back."""
    id, reference = stored(service, "volunteers", references_accepted=1, professional_references=3)
    file = a_file("volunteers", reference, references_accepted="1", professional_references="3")
    with service.database.read(service.north) as session:
        before = importing.stood(Repository(session, service.keys), today())
        reading = read_files(dict((file, other_file("volunteers"))), today(), stood=before)
    stored(service, "volunteers", references_accepted=3, professional_references=3)

    def take_in(rows: Repository) -> None:
        importing.take_in(rows, reading, today(), user_id=None, confirmed=())

    with service.database.write(service.north) as session, pytest.raises(InputError, match="is more than all"):
        take_in(Repository(session, service.keys))
    assert record(service, id).references_accepted == 3


def test_a_form_that_changes_one_of_two_facts_at_odds_corrects_them(service: Service) -> None:
    checked: Callable[..., None] = people.checked
    before = records.Volunteer("V1", references_accepted=1, professional_references=3)
    checked(people.VOLUNTEERS, replace(before, languages=("Polish",)), before)
    with pytest.raises(InputError):
        checked(people.VOLUNTEERS, replace(before, references_accepted=2), before)
    checked(people.VOLUNTEERS, replace(before, references_accepted=3), before)

"""Small rows for tests of the database that the constraints accept; and files of a county, with other cells in them."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from matcher import records
from matcher.instance import today
from matcher.readers import Reading
from matcher.reading.sheets import VOLUNTEERS
from service import people
from service.crypto import KeyRing
from service.database import tables
from service.database.engine import Database
from service.installation import add_authority
from service.repository import Repository
from service.safeguards import WHY
from service.workflow import State


def an_authority(database: Database, keys: KeyRing, name: str = "North") -> str:
    return add_authority(database, keys, name)


def a_child(rows: Repository, reference: str, family: tables.Family | None = None) -> tables.Child:
    if family is None:
        family = tables.Family(known=True, references=[])
        rows.session.add(family)
        rows.session.flush()
    row = tables.Child(reference=reference, family_id=family.id)
    rows.write_child(row, records.Child(""))
    rows.session.add(row)
    rows.session.flush()
    return row


def a_volunteer(rows: Repository, reference: str, capacity: int = 1) -> tables.Volunteer:
    row = tables.Volunteer(reference=reference, capacity=capacity)
    rows.write_volunteer(row, records.Volunteer(""))
    rows.session.add(row)
    rows.session.flush()
    return row


def a_match(
    session: Session, child: tables.Child, volunteer: tables.Volunteer, state: State = State.PROPOSED,
    place: int | None = 0,
) -> tables.Match:  # fmt: skip
    row = tables.Match(
        child_id=child.id, family_id=child.family_id, child_objects=child.objects, volunteer_id=volunteer.id,
        capacity=volunteer.capacity, place=place, state=state,
    )  # fmt: skip
    session.add(row)
    return row


def besides(manager: bool = True) -> dict[str, Any]:
    """What the API is told besides the facts: who asked the child, and whose no it is; a manager says why, and what was
    found."""
    told: dict[str, Any] = {"asked": {"by": "social worker", "on": today().isoformat()}, "no_by": "child"}
    return told | {"why_weaker": WHY[0], "found": "Nothing."} if manager else told


def says_yes(rows: Repository, child: str, user: str) -> None:
    """Somebody has asked a child, or asked again, who would like a visitor, or another one."""
    asked = people.Asked("social worker", today())
    people.change_child(rows, rows.child(child), {"agrees": "yes"}, user_id=user, asked=asked)


CHECKS = {
    "date_of_birth": "01/05/1980", "agreement_signed_on": "10/01/2020", "references_accepted": "2",
    "professional_references": "1", "core_training_on": "20/12/2019", "safeguarding_training_on": "20/12/2019",
    "right_to_work": "yes", "drives": "no", "medical_condition": "no",
}  # fmt: skip
"""Of a volunteer who may be approved, in the words of a form; see `in_order`."""


def in_order() -> dict[str, str]:
    """All that is asked of whoever is to be approved, in the words of a form."""
    checked = f"{today():%d/%m/%Y}"
    return {**CHECKS, "dbs_checked_on": checked, "database_checked_on": checked}


def put_in_order(rows: Repository, volunteer: str) -> None:
    """Nothing is in the way of approving them again, if it ever was."""
    row = rows.volunteer(volunteer)
    rows.write_volunteer(row, people.read_facts(VOLUNTEERS, in_order(), rows.volunteer_record(row)))
    rows.session.flush()


def files_of(county: Reading, change: dict[tuple[str, str, str], str] | None = None) -> list[Any]:
    """The county's files again, with other cells by sheet, reference and column."""
    files = []
    for sheet, grid in county.grids.items():
        text = StringIO()
        writer = csv.writer(text)
        writer.writerow(grid.heading)
        for _, cells in grid.rows:
            row = dict(zip(grid.heading, [*cells, *[""] * (len(grid.heading) - len(cells))], strict=True))
            for (of, reference, column), value in (change or {}).items():
                if of == sheet and cells[0] == reference:
                    row[column] = value
            writer.writerow(row.values())
        files.append(("files", (f"{sheet}.csv", text.getvalue().encode())))
    return files


def cell(county: Reading, sheet: str, column: str, value: str) -> str:
    """The reference of the first row that says so."""
    grid = county.grids[sheet]
    at = grid.heading.index(column)
    return next(cells[0] for _, cells in grid.rows if len(cells) > at and cells[at] == value)


def of(county: Reading, sheet: str, change: dict[tuple[str, str, str], str] | None = None) -> tuple[str, bytes]:
    """One file of the county, with other cells in it."""
    return next(file for _, file in files_of(county, change) if file[0] == f"{sheet}.csv")


def send(browser: TestClient, *files: tuple[str, bytes]) -> str:
    """Files sent to be looked at; the address where they are."""
    sent = [("files", one) for one in files]
    answer = browser.post("/imports", files=sent, headers={"Accept": "text/html"}, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


def families_seen(browser: TestClient, *children: str) -> dict[str, str]:
    """The If-Match of whoever links these children, having read the families that grow by it."""
    found = [browser.get("/api/v1/families", params={"child": one}).json()["families"] for one in children]
    tags = {f'"{family["version"]}"' for one in found for family in one if len(family["children"]) > 1}
    return {"If-Match": ", ".join(sorted(tags))} if tags else {}

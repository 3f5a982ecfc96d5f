"""Somebody who is likely here already: a person is asked on the form, and told beside the row of a file."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest
from api_desk import API
from conftest import Service
from page_reading import HTML
from service_rows import send
from sqlalchemy import select

from matcher.records import Gender
from service.database import tables
from service.importing import echo, looking
from service.permissions import Role
from service.repository import Repository

BORN = date(2012, 2, 29)


def here(service: Service) -> tuple[str, str]:
    """C0003, born on a day of their own; the id, and that of V0003, born on another."""
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        child = session.scalars(select(tables.Child).where(tables.Child.reference == "C0003")).one()
        record = rows.child_record(child, True)
        rows.write_child(child, replace(record, date_of_birth=BORN, gender=Gender.FEMALE))
        one = session.scalars(select(tables.Volunteer).where(tables.Volunteer.reference == "V0003")).one()
        born = date(1980, 2, 29)
        rows.write_volunteer(one, replace(rows.volunteer_record(one), date_of_birth=born, gender=None))
        return child.id, one.id


def references(service: Service) -> set[str]:
    with service.database.read(service.north) as session:
        return {*session.scalars(select(tables.Child.reference)), *session.scalars(select(tables.Volunteer.reference))}


@pytest.mark.parametrize(("side", "word", "born"), [("children", "child", BORN), ("volunteers", "volunteer", None)])
def test_who_is_born_on_the_day_of_somebody_here_is_asked_for_once_and_added_with_a_tick(
    service: Service, side: str, word: str, born: date | None
) -> None:
    of = dict(zip(("children", "volunteers"), here(service), strict=True))[side]
    browser = service.as_(Role.COORDINATOR)
    sent = {"reference": "X-901", "date_of_birth": f"{born or date(1980, 2, 29):%d/%m/%Y}", "gender": "female"}
    page = browser.post(f"/{side}/new", data=sent, headers=HTML)
    assert page.status_code == 422
    told = " ".join(re.sub(r"<[^>]+>", " ", page.text).split())
    assert re.search(rf"There is already [CV]0003 , born on the same day. Is this the same {word}\?", told)
    assert f'href="/{side}/{of}"' in page.text
    assert "X-901" not in references(service)
    assert 'value="X-901"' in page.text  # nothing that was typed is lost
    assert f'name="others" type="checkbox" value="{of}"' in page.text
    page = browser.post(f"/{side}/new", data={**sent, "others": of}, headers=HTML)
    assert page.status_code == 200
    assert "X-901" in references(service)


def test_nobody_is_asked_of_who_cannot_be_the_same(service: Service) -> None:
    """Of another gender, a sibling of theirs, on another day, of nobody's day, or in another authority."""
    here(service)
    born = {"date_of_birth": f"{BORN:%d/%m/%Y}"}
    sent: list[dict[str, str]] = [
        {**born, "siblings": "C0003", "gender": "female"}, {**born, "gender": "male"},
        {"date_of_birth": "28/02/2012"}, {},
    ]  # fmt: skip
    browser = service.as_(Role.COORDINATOR)
    for number, one in enumerate(sent):
        page = browser.post("/children/new", data={"reference": f"X-9{number}", **one}, headers=HTML)
        assert page.status_code == 200, one
    south = service.as_(Role.COORDINATOR, "south")
    assert south.post("/children/new", data={"reference": "X-99", **born}, headers=HTML).status_code == 200


def test_a_tick_is_good_for_those_alone_whom_the_form_showed(service: Service) -> None:
    of, _ = here(service)
    sent = {"reference": "X-901", "date_of_birth": f"{BORN:%d/%m/%Y}"}
    browser = service.as_(Role.COORDINATOR)
    first = browser.post("/children/new", data={**sent, "others": of}, headers=HTML)
    assert first.status_code == 200
    page = browser.post("/children/new", data={**sent, "reference": "X-902", "others": of}, headers=HTML)
    assert page.status_code == 422
    assert "X-901" in page.text


def test_a_file_tells_beside_the_row_who_is_likely_here(service: Service) -> None:
    of, _ = here(service)
    file = ("children.csv", b"child_id,date_of_birth\nC9901,29/02/2012\nC9902,28/02/2012\nC0003,29/02/2012\n")
    browser = service.as_(Role.COORDINATOR)
    page = browser.get(f"{send(browser, file)}?show=notes", headers=HTML).text
    assert "is new, and C0003 in Kith was born on the same day" in " ".join(page.split())
    with service.database.read(service.north) as session:
        events = session.scalars(select(tables.AuditEvent).order_by(tables.AuditEvent.number.desc()).limit(1)).all()
        assert [of in one.details["children"] for one in events] == [True]
    files = [file, ("volunteers.csv", b"volunteer_id,date_of_birth\nV9901,29/02/1980\nV9902,28/02/1980\n")]
    answer = browser.post(f"{API}/imports/check", files=[("files", one) for one in files]).json()
    assert answer["usable"], answer["problems"]
    told = [one for one in answer["problems"] if "born on the same day" in one["wrong"]]
    assert [(one["value"], one["rejected"]) for one in told] == [("C9901", False), ("V9901", False)]


def test_a_child_whom_a_note_names_was_read_of_whatever_their_reference(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a blank is in it; and where more were born on that day than a page holds, the first are named."""
    of, _ = here(service)
    with service.database.write(service.north) as session:
        session.get_one(tables.Child, of).reference = "CF 12, a"
        rows = Repository(session, service.keys)
        for row in session.scalars(select(tables.Volunteer)):
            rows.write_volunteer(row, replace(rows.volunteer_record(row), date_of_birth=BORN, gender=None))
    files = [
        ("children.csv", b"child_id,date_of_birth\nC9901,29/02/2012\n"),
        ("volunteers.csv", b"volunteer_id,date_of_birth\nV9901,29/02/2012\n"),
    ]
    browser = service.as_(Role.COORDINATOR)
    monkeypatch.setattr(looking, "MOST", 2)
    monkeypatch.setattr(echo, "MOST_ABSENT", 0)  # or they would be named as not in the file
    page = " ".join(browser.get(f"{send(browser, *files)}?show=notes", headers=HTML).text.split())
    told = browser.post(f"{API}/imports/check", files=[("files", one) for one in files]).json()["problems"]
    assert "is new, and CF 12, a in Kith was born on the same day" in page
    assert re.search(r"is new, and V0001, V0002 and \d+ more in Kith were born on the same day", page)
    assert len([one for one in told if "born on the same day" in one["wrong"]]) == 2
    with service.database.read(service.north) as session:
        read = select(tables.AuditEvent).where(tables.AuditEvent.action == "read")
        events = session.scalars(read.order_by(tables.AuditEvent.number.desc()).limit(2)).all()
        assert [of in one.details["children"] for one in events] == [True, True]

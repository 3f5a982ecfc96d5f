"""Who is in Kith and not in the files is told by reference, on the page and over the API: nobody is lost unseen."""

from __future__ import annotations

import re

import pytest
from api_desk import API
from conftest import Service
from page_reading import HTML
from service_rows import files_of, send
from sqlalchemy import select

from matcher.readers import Reading
from service.database import tables
from service.importing import echo
from service.permissions import Role

Files = list[tuple[str, tuple[str, bytes]]]


def without(county: Reading, *references: str) -> Files:
    """The county's children and volunteers but for these, and nothing that names them."""
    kept = []
    for key, (name, content) in files_of(county):
        if name in ("children.csv", "volunteers.csv"):
            lines = [line for line in content.splitlines() if line.split(b",")[0].decode() not in references]
            kept.append((key, (name, b"\n".join(lines))))
    return kept


def test_who_is_not_in_the_file_is_listed_with_a_link(
    service: Service, small_county: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(echo, "MOST_ABSENT", 2)
    files = without(small_county, "C0003", "V0005", "V0002", "V0001")
    browser = service.as_(Role.COORDINATOR)
    page = browser.get(send(browser, *(file for _, file in files)), headers=HTML).text
    with service.database.read(service.north) as session:
        ids = {row.reference: row.id for row in session.scalars(select(tables.Child))}
        ids |= {row.reference: row.id for row in session.scalars(select(tables.Volunteer))}
    told = page.partition("Children in Kith, not in the file: 1")[2].partition("</details>")[0]
    assert re.findall(r'href="([^"]*)">([^<]*)</a>', told) == [(f"/children/{ids['C0003']}", "C0003")]
    told = page.partition("Volunteers in Kith, not in the file: 3")[2].partition("</details>")[0]
    links = [(f"/volunteers/{ids[one]}", one) for one in ("V0001", "V0002")]
    assert re.findall(r'href="([^"]*)">([^<]*)</a>', told) == links
    assert "and 1 more" in " ".join(told.split())
    with service.database.read(service.north) as session:
        events = session.scalars(select(tables.AuditEvent).order_by(tables.AuditEvent.number.desc()).limit(1)).all()
        assert [ids["C0003"] in one.details["children"] for one in events] == [True]
    answer = browser.post(f"{API}/imports/check", files=files).json()
    assert answer["absent"] == {"children": 1, "volunteers": 3}
    assert answer["absent_first"] == {"children": ["C0003"], "volunteers": ["V0001", "V0002"]}


def test_where_everybody_is_in_the_file_nobody_is_listed(service: Service, small_county: Reading) -> None:
    browser = service.as_(Role.COORDINATOR)
    files = files_of(small_county)
    assert (
        "in Kith, not in the file: " not in browser.get(send(browser, *(file for _, file in files)), headers=HTML).text
    )
    answer = browser.post(f"{API}/imports/check", files=files).json()
    assert answer["absent_first"] == {"children": [], "volunteers": []}

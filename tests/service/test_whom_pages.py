"""Whom a volunteer could visit, and a shortlist as a workbook."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from conftest import Service
from page_reading import HTML
from python_calamine import CalamineWorkbook

from service.pages import volunteers
from service.permissions import Role
from service.repository import Repository


def test_whom_a_volunteer_could_visit(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    child, volunteer = service.eligible_pair()
    browser, path = service.as_(Role.COORDINATOR), f"/volunteers/{volunteer}/shortlist"
    page = browser.get(path, headers=HTML).text
    assert f"/children/{child}/shortlist" in page
    could = page.count("/shortlist?rank=fit")
    monkeypatch.setattr(volunteers, "WHOM", 1)
    page = browser.get(path, headers=HTML).text
    assert page.count("/shortlist?rank=fit") == 1
    assert f"Show all {could}" in page
    assert browser.get(f"{path}?everybody=yes", headers=HTML).text.count("/shortlist?rank=fit") == could > 1
    monkeypatch.setattr(volunteers, "LONG", 1)
    pages = [browser.get(f"{path}?everybody=yes&page={n + 1}", headers=HTML).text for n in range(could)]
    found = [re.findall(r"/children/(\w+)/shortlist\?rank=fit", page) for page in pages]
    assert [len(one) for one in found] == [1] * could
    assert len({one[0] for one in found}) == could


def test_the_workbook_of_a_shortlist_holds_no_formula(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        Repository(session, service.keys).volunteer(volunteer).reference = '=HYPERLINK("http://elsewhere.example")'
    answer = service.as_(Role.COORDINATOR).get(f"/children/{child}/shortlist.xlsx?rank=fit")
    assert answer.status_code == 200
    assert child not in answer.headers["content-disposition"]
    rows = CalamineWorkbook.from_filelike(BytesIO(answer.content)).get_sheet_by_name("Shortlist").to_python()
    assert rows[1][2] == '\'=HYPERLINK("http://elsewhere.example")'
    assert b"<f>" not in answer.content

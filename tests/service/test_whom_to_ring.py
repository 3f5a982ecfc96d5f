"""Whom letters say to ring: a manager keeps it, and what is not known is a line."""

from __future__ import annotations

import re

import pytest
from browser import Site, faults
from conftest import Service
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import select
from test_stopped_pages import Desk, active

from matcher.records import Party
from service.database import tables
from service.permissions import Role

HTML = {"Accept": "text/html"}
TOLD = {
    "service": "The Independent Visitor team", "address": "1 Made-up Street, Sampletown", "telephone": "01632 960001",
    "out_of_hours": "01632 960002", "advocacy": "Speaking Up", "advocacy_telephone": "01632 960003",
}  # fmt: skip


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def version(browser: TestClient) -> str:
    found = re.search(r'name="version" value="(\d+)"', browser.get("/whom-to-ring").text)
    assert found is not None
    return found[1]


def keep(browser: TestClient, **changed: str) -> Response:
    return browser.post("/whom-to-ring", data={"version": version(browser), **TOLD, **changed}, headers=HTML)


def test_what_a_manager_keeps_stands_in_every_letter_of_the_authority(desk: Desk) -> None:
    match = active(desk)
    manager = desk.service.as_(Role.MANAGER)
    assert "Letters say so from now on." in keep(manager, advocacy_telephone="").text
    for letter in ("appointment", "ending"):
        if letter == "ending":
            desk.step(match, "end", Party.PLANNED, "planned ending")
        html = desk.service.as_(Role.COORDINATOR).get(f"/proposals/{match}/letters/{letter}").text
        volunteers, childs = html.split("</article>")[:2]
        for one in (volunteers, childs):
            assert TOLD["service"] in one
            assert TOLD["address"] in one
            assert f"<b>{TOLD['telephone']}</b>" in one
            assert "In the evening and at weekends" in one
            assert f"<b>{TOLD['out_of_hours']}</b>" in one
        assert f'<b>{TOLD["advocacy"]}</b>, <span class="kith-blank">' in childs  # of whom no number is known
    assert "01632" not in desk.service.as_(Role.MANAGER, "south").get("/whom-to-ring").text
    with desk.service.database.read(desk.service.north) as session:
        (entry,) = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.action == "change whom to ring"))
    assert entry.details == {
        "parts": [
            "who you are", "address", "telephone", "telephone in the evening and at weekends", "advocacy service",
        ]
    }  # fmt: skip


def test_whoever_prints_a_letter_is_told_before_which_numbers_are_blank(desk: Desk) -> None:
    """The child's letter would give 999 alone, and nobody might notice before it is read."""
    match, manager = active(desk), desk.service.as_(Role.MANAGER)

    def before_printing(browser: TestClient) -> str:
        page = browser.get(f"/proposals/{match}/letters/appointment").text
        top = page.partition('<div class="kith-screen">')[2].partition("<article")[0]
        return re.sub(r"\s+", " ", re.sub(r"<(?!a )[^>]+>", " ", top))

    told = before_printing(manager)
    assert "3 telephone numbers are blank" in told
    assert "the letters give 999 alone" in told
    assert 'href="/whom-to-ring">keep them under “Whom to ring”' in told
    told = before_printing(desk.service.as_(Role.COORDINATOR))
    assert "ask a manager to keep them under “Whom to ring” first" in told
    assert "/whom-to-ring" not in told  # which they may not open
    keep(manager, out_of_hours="")
    told = before_printing(manager)
    assert re.search("one telephone number is blank Telephone in the evening and at weekends Write it on", told)
    keep(manager)
    told = before_printing(manager)
    assert ("blank" in told, 'href="/whom-to-ring">Change whom' in told) == (False, True)


@pytest.mark.parametrize(
    ("part", "text", "said"),
    [
        ("telephone", "ring us", "is no telephone number"),
        ("out_of_hours", "12", "is no telephone number"),
        ("address", "x" * 201, "in one line of up to 200 letters"),
    ],
)
def test_what_is_no_number_is_refused_beside_its_field_and_nothing_is_lost(
    service: Service, part: str, text: str, said: str
) -> None:
    manager = service.as_(Role.MANAGER)
    refused = keep(manager, **{part: text})
    assert (refused.status_code, said in refused.text) == (422, True)
    assert f'value="{text}"' in refused.text
    assert TOLD["advocacy"] in refused.text
    assert version(manager) == "0"  # nothing was kept


def test_who_was_not_quick_enough_is_told_and_what_they_typed_stays(service: Service) -> None:
    manager = service.as_(Role.MANAGER)
    keep(manager)
    late = manager.post("/whom-to-ring", data={"version": "0", **TOLD, "telephone": "01632 960009"}, headers=HTML)
    assert late.status_code == 409
    assert 'value="01632 960009"' in late.text
    assert "<b>Kept now:</b> 01632 960001" in late.text
    assert keep(manager, telephone="").status_code == 200  # blank is no fault
    for role in (Role.COORDINATOR, Role.ANALYST, Role.AUDITOR, Role.ADMINISTRATOR):
        assert service.as_(role).get("/whom-to-ring").status_code == 403


def test_it_is_kept_without_script_and_has_no_fault(site: Site) -> None:
    page = site.page(Role.MANAGER, script=False)
    page.goto(f"{site.at}/whom-to-ring")
    page.get_by_label("Telephone", exact=True).fill("01632 960001")
    page.get_by_role("button", name="Save").click()
    assert "Saved." in page.inner_text(".kith-saved")
    page = site.page(Role.MANAGER)
    found = faults(page, f"{site.at}/whom-to-ring")
    page.fill("#telephone", "none")
    page.get_by_role("button", name="Save").click()
    assert found + faults(page) == []

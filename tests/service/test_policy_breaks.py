"""A draft of a policy, and the proposals and visits that are live and would break it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conftest import Service
from page_reading import proposal_of
from test_policy_pages import form

from service.pages import policy as policy_pages
from service.permissions import Role
from service.repository import Repository


@pytest.mark.parametrize(("state", "shown"), [("child thinks it over", "Child thinks it over"), ("active", "Active")])
def test_what_is_live_and_would_break_a_draft_stands_first_with_where_it_stands(
    service: Service, monkeypatch: pytest.MonkeyPatch, state: str, shown: str
) -> None:
    monkeypatch.setattr(policy_pages, "PATIENCE", 60)  # or a busy machine shows no plan to stand before
    child, volunteer, match = proposal_of(service)
    browser, asked = service.as_(Role.MANAGER), form(rules__right_to_work__on="yes")
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        rows.match(match).state = state
        row = rows.volunteer(volunteer)
        rows.write_volunteer(row, replace(rows.volunteer_record(row), right_to_work=False))
        names = rows.references()
    page = browser.post("/policy/draft", data=asked).text
    first = page.partition("would break the draft’s rules")[2].partition("</section>")[0]
    line = first.partition(f'href="/proposals/{match}"')[2].partition("</li>")[0]
    assert f"{names[child]} and {names[volunteer]}" in line
    assert shown in line
    assert "Without proof of the right to work" in line
    assert page.index(f'href="/proposals/{match}"') < page.index("The best plan of today’s records")
    hidden = service.as_(Role.ANALYST).post("/policy/draft", data=asked).text
    assert "would break the draft’s rules" in hidden
    assert match not in hidden
    # What breaks no rule of the draft, or broke it before, is not told.
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        row = rows.volunteer(volunteer)
        rows.write_volunteer(row, replace(rows.volunteer_record(row), right_to_work=True))
    assert f"/proposals/{match}" not in browser.post("/policy/draft", data=asked).text

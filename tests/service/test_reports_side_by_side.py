"""What one report hides is in no other that is passed on, nor in the words around its own tables."""

from __future__ import annotations

from datetime import date
from html import unescape
from io import BytesIO

import pytest
from conftest import Service
from python_calamine import CalamineWorkbook
from test_reports import NOW, xml

from matcher.records import Child, Party
from service import reports
from service.pages.reports import TABS
from service.permissions import Role
from service.reports import ReportedChild, ReportedMatch, ReportedStep, Year
from service.reports import Service as Figures


def ended_for(reason: str, times: int) -> tuple[list[ReportedMatch], list[ReportedStep]]:
    matches = [
        ReportedMatch(f"{reason}{n}", f"v{reason}{n}", date(2025, 6, 1), date(2026, 6, 1), True, Party.CHILD, reason)
        for n in range(times)
    ]
    return matches, [ReportedStep(date(2026, 6, 1), "end", reason)] * times


def concerns(of_boundaries: int, of_age: int) -> Figures:
    """Seven matches that ended."""
    (one, first), (other, then) = ended_for("boundaries not kept", of_boundaries), ended_for("age", of_age)
    return Figures(NOW, matches=[*one, *other], steps=[*first, *then])


def refusals(of_any: int, of_this: int) -> Figures:
    said = [("objects to any visitor", of_any), ("does not want this visitor", of_this)]
    return Figures(NOW, steps=[ReportedStep(NOW, "child_declines", why) for why, times in said for _ in range(times)])


def placed(outside: int, alone: int = 0, of: int = 40) -> Figures:
    """Children who were given a visitor, `alone` of them known by the match alone."""
    councils = ["E06000062"] * outside + ["E06000061"] * (of - outside)
    children = [
        Child(str(n), responsible_authority="E06000061", placement_council=one) for n, one in enumerate(councils)
    ]
    children = [Child(one.id) if n < alone else one for n, one in enumerate(reversed(children))]
    matches = [ReportedMatch(str(n), f"v{n}", date(2026, 6, 1), None, False) for n in range(of)]
    return Figures(NOW, [ReportedChild(one, "visited") for one in children], matches=matches)


def without(waiting: int, beyond: int) -> Figures:
    children = [ReportedChild(Child(str(n), referred_on=date(2026, 8, 15)), "waiting") for n in range(waiting)]
    children += [ReportedChild(Child(f"b{n}", referred_on=NOW), "not ready", beyond=True) for n in range(beyond)]
    return Figures(NOW, children)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (concerns(1, 6), concerns(2, 5)),
        (refusals(3, 4), refusals(4, 2)),
        (placed(36), placed(39)),
        (placed(4), placed(1)),
        (placed(20, alone=1), placed(20, alone=3)),
        (placed(0, of=1), placed(0, alone=1, of=1)),
        (without(9, 1), without(8, 2)),
        (without(5, 1), without(3, 3)),
    ],
)
def test_years_that_differ_in_a_small_number_alone_read_alike(one: Figures, other: Figures) -> None:
    """Whatever else the report says, nothing in it tells the two apart; nor do the totals of the other report."""
    assert reports.yearly(one, Year(2026)) == reports.yearly(other, Year(2026))
    (first, *_), (second, *_) = (reports.equality(figures).tables for figures in (one, other))
    assert (first.rows and first.rows[-1][1][:3]) == (second.rows and second.rows[-1][1][:3])


def test_how_many_have_no_visitor_is_one_number_outside_the_team() -> None:
    assert (
        "10 children have no visitor. Counted in are those who can have none any more: care has ended, or they are "
        "beyond the age for one. Half of those who wait have waited 3 months or longer. "
    ) in reports.yearly(without(9, 1), Year(2026)).lead
    assert "9 children have no visitor yet. One more has none" in reports.waits(without(9, 1)).lead.replace(
        " Half of them have waited 3 months or longer.", ""
    )


@pytest.mark.parametrize(
    ("day", "told"),
    [
        (NOW, "less than a month"),
        (date(2026, 10, 15), "one month or longer"),
        (date(2026, 9, 15), "2 months or longer"),
    ],
)
def test_a_wait_is_told_as_one_says_it(day: date, told: str) -> None:
    waiting = [ReportedChild(Child(str(n), referred_on=day), "waiting") for n in range(5)]
    assert reports.waits(Figures(NOW, waiting)).lead.endswith(f" Half of them have waited {told}.")


def test_what_tells_small_numbers_as_they_are_says_that_it_is_not_to_be_passed_on(service: Service) -> None:
    browser = service.as_(Role.ANALYST)
    for name, title in TABS:
        content = browser.get(f"/reports/{name}/xlsx").content
        about = CalamineWorkbook.from_filelike(BytesIO(content)).get_sheet_by_name("About").to_python()
        told = [row[1] for row in about if row[0] == "Who it is for"]
        page = unescape(browser.get(f"/reports/{name}").text)
        if name in ("equality", "year"):
            assert told == []
            assert "passed on" not in page
            continue
        (words,) = told
        assert str(words).startswith("For the team")
        assert f'<p class="govuk-inset-text">{words}</p>' in page, title  # printed with it
        assert ", not to be passed on" in xml(content, "worksheets/sheet1.xml")

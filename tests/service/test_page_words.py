"""How pages say waits, scores and what is shown to people."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import Service

from matcher.explain import Points
from matcher.instance import today
from matcher.planning.effects import PlanEffect
from matcher.records import Child, Volunteer
from service import profiles
from service.pages import html
from service.pages.html import waited
from service.pages.labels import beside_column
from service.pages.shortlists import bars, why_first
from service.permissions import Role


@pytest.mark.parametrize(("days", "told"), [(0, "under a day"), (1, "one day"), (20, "20 days"), (91, "13 weeks")])
def test_a_wait_is_told_in_the_unit_that_a_person_would_use(days: int, told: str) -> None:
    assert waited(today() - timedelta(days)) == told


@pytest.mark.parametrize(("since", "now", "told"), [
    (date(2024, 12, 10), date(2026, 11, 27), "23 months"),  # 717 days: no two years
    (date(2024, 11, 27), date(2026, 11, 27), "24 months"),
])  # fmt: skip
def test_a_wait_is_told_in_months_that_are_over(
    monkeypatch: pytest.MonkeyPatch, since: date, now: date, told: str
) -> None:
    monkeypatch.setattr(html, "today", lambda: now)
    assert waited(since) == told


def test_plan_pages_reports_and_analysts_count_a_wait_from_one_day(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the day of the referral: the record alone says from when a child waits."""
    monkeypatch.setattr(Child, "waits_since", property(lambda _: today() - timedelta(5)))
    child, volunteer = service.eligible_pair()
    browser, at = service.as_(Role.COORDINATOR), f"/api/v1/children/{child}"
    longest = browser.get("/").text.partition("Waiting longest")[2].partition("</section>")[0]
    assert set(re.findall(r"<b>([^<]*)</b></li>", longest)) == {"5 days"}
    assert set(re.findall(r'data-label="Waits"[^>]*>([^<]*)<', browser.get("/children").text)) == {"5 days"}
    explained = browser.get(f"{at}/volunteers/{volunteer}/explanation").json()
    wait = next(one for one in explained["priorities"] if one["id"] == "waiting_time")
    assert (wait["points"], wait["sentence"].rpartition(", ")[2]) == (5, "5 days.")  # a point a day
    analyst = service.as_(Role.ANALYST)
    assert analyst.get(at).json()["facts"]["days_waited"] == 5
    counts = re.findall(r">([^<]*)</th>\s*<td[^>]*>(\d+)<", analyst.get("/reports/waits").text)
    assert [name for name, ready in counts if int(ready)][:2] == ["Under 3 months", "All"]


def test_no_score_gives_more_than_the_most_that_it_could() -> None:
    """107.4 of 107.4 would be 108 of 107 where each is rounded by itself."""
    one, other = (
        Points(id, "", "", weight, points, "known", "") for id, weight, points in (("a", 141, 108), ("b", 1172, 0))
    )
    assert [(bar.points, bar.most) for bar in bars([one, other])] == [(108, 108), (0, 893)]


@pytest.mark.parametrize(
    ("loss", "most", "fits", "best", "says"),
    [
        (0, 0, 322, 417, "loses nothing"),
        (35, 35, 322, 417, "loses least"),
        (0, 0, 417, 417, ""),  # they fit as well
        (0, 90, 322, 417, ""),  # nobody knows yet what it costs
        (None, None, 322, 417, ""),  # by fit alone
    ],
)
def test_it_is_said_why_the_first_is_not_who_fits_best(
    loss: int | None, most: int | None, fits: int, best: int, says: str
) -> None:
    effect = None if loss is None or most is None else PlanEffect("C1", "V2", loss, most, {}, left=("C7",))
    first: Any = SimpleNamespace(reference="V-2", candidate=SimpleNamespace(volunteer="V2", fit=fits, effect=effect))
    told: Any = SimpleNamespace(
        who_could=lambda *_: [SimpleNamespace(volunteer="V1", fit=best)], references={"V1": "V-1", "V2": "V-2"}
    )
    said = why_first(told, "C1", [first])
    assert bool(said) is bool(says)
    if says:
        assert said.startswith(f"V-2 comes first because the plan for all the children who wait {says} by that choice.")
        assert "V-1 fits this child best (417 of 1,000, against 322)" in said
        assert "C7" not in said


def test_a_column_is_told_with_what_pages_call_it() -> None:
    assert beside_column("children", "culture_request") == "culture request (A visitor of like culture)"
    assert beside_column("children", "family") == "family (Brothers and sisters)"
    assert beside_column("children", "child_id") == "child id"
    assert beside_column("volunteers", "gender") == "gender"


def test_what_is_shown_to_people_keeps_proper_names_and_tells_no_absence() -> None:
    person = Volunteer("V1", interests=("fortnite", "islam"), religion="no religion")
    shown = frozenset({"interests", "religion"})
    told = profiles.told(profiles.OF_VOLUNTEER, person, shown, today())
    assert told == ["They like: Fortnite.", "They like: Mosque and Muslim life."]
    told = profiles.told(profiles.OF_VOLUNTEER, replace(person, religion="hindu"), shown, today())
    assert told[1:] == ["Their religion: Hindu. They like: Mosque and Muslim life."]


def test_interests_tell_nothing_private_unless_it_is_shared() -> None:
    """Whom somebody loves is theirs to tell: of the volunteer, of the child, and of what both like."""
    likes = ("cooking", "islam", "lgbt community")
    child, volunteer = Child("C1", interests=likes), Volunteer("V1", interests=likes)
    for parts, one, side in ((profiles.OF_CHILD, child, "child"), (profiles.OF_VOLUNTEER, volunteer, "volunteer")):
        said = {part.id: part.says(one, today()) for part in parts}  # type: ignore[arg-type]
        assert [id for id, words in said.items() if "LGBT" in words] == ["private"]
        assert "Mosque" not in said["private"]
        at_first = profiles.told(parts, one, profiles.chosen({}, side), today())  # type: ignore[type-var]
        assert not any("LGBT" in words for words in at_first)
        # Nor where the choice was kept before there was a tick for it, whatever else was ticked.
        before = profiles.chosen({side: ["interests", "religion"]}, side)
        assert not any("LGBT" in words for words in profiles.told(parts, one, before, today()))  # type: ignore[type-var]
    assert profiles.both_like(child, volunteer, frozenset({"interests", "religion"})) == ["cooking", "islam"]
    assert profiles.both_like(child, volunteer, frozenset({"private"})) == ["lgbt community"]


def test_interests_tell_no_religion_unless_it_is_shared() -> None:
    """Of the volunteer to the child and of the child to the volunteer, and what both like as well."""
    likes = ("christianity", "cooking", "faith", "islam")
    child, volunteer = Child("C1", interests=likes, religion="muslim"), Volunteer("V1", interests=likes)
    label = "Religion, and interests that tell it"
    for parts, one in ((profiles.OF_CHILD, child), (profiles.OF_VOLUNTEER, volunteer)):
        said = {part.label: part.says(one, today()) for part in parts}  # type: ignore[arg-type]
        assert said["Interests"].partition("ike")[2].partition(": ")[2] == "Cooking."
        assert [name for name, words in said.items() if "Mosque" in words or "Muslim" in words] == [label]
        assert [part.at_first for part in parts if part.label == label] == [False]
    assert profiles.both_like(child, volunteer, profiles.chosen({}, "volunteer")) == ["cooking"]
    assert len(profiles.both_like(child, volunteer, frozenset({"religion", "interests"}))) == 4
    assert profiles.both_like(child, volunteer, frozenset()) == []

"""The pages of runs: every state, what a plan changes, its publication; over HTTP, and in a real browser."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from browser import HOSTILE, Site, faults
from conftest import Service
from fastapi.testclient import TestClient
from service_rows import a_match
from sqlalchemy import select
from sqlalchemy.orm import Session

from matcher.instance import today
from matcher.records import Status
from matcher.shortlist import shortlist
from service import plans, runs
from service.crypto import KeyRing
from service.database import tables
from service.database.base import new_id, utc_now
from service.database.engine import Database
from service.pages import journeys
from service.pages.html import short_day
from service.pages.plan import proof
from service.pages.runs import STEPS, WHY
from service.pages.today import CHANGE_DAYS, MOST_FOLDED
from service.permissions import Role
from service.repository import Repository
from service.workflow import State

HTML = {"Accept": "text/html"}


def run_once(database: Database, keys: KeyRing, authority: str, reason: str = "manual") -> tuple[str, list[str]]:
    """A run of the data as they are, executed here; its id, and what it told."""
    with database.write(authority) as session:
        runs.ask_for(session, authority, "manual")
        runs.ask_for(session, authority, reason)
    held, told = runs.take(database, authority), []
    assert held is not None
    plans.make(database, keys, held, told.append)
    return held.run_id, told


def a_night_later(service: Service) -> None:
    with service.database.write(service.north) as session:
        for run in session.scalars(select(tables.Run)):
            run.requested_at -= timedelta(days=1)


def by_night(service: Service) -> str:
    """A run that Kith begins by itself, a day ago by now; its id."""
    run_id, _ = run_once(service.database, service.keys, service.north, "nightly")
    a_night_later(service)
    return run_id


def refuse_first(rows: Repository, run_id: str) -> tuple[str, str]:
    """The child of the first match that a run proposes says no to that volunteer; the two."""
    first = plans.of_run(rows, run_id)[1].plan["matches"][0]
    row = tables.Declined(child_id=first["child"], volunteer_id=first["volunteer"], said_by="child")
    rows.session.add(row)
    return first["child"], first["volunteer"]


def a_run(
    session: Session, authority: str, state: str, problem: str = "", keys: KeyRing | None = None, **facts: Any
) -> str:
    """A run that some worker has left in a state."""
    row = tables.Run(id=new_id("R"), authority_id=authority, state=state, reasons=["nightly"], **facts)
    if keys is not None:
        runs.tell_problem(row, keys, problem)
    session.add(row)
    return row.id


def test_the_page_knows_every_step_that_a_run_tells(database: Database, keys: KeyRing, north: str) -> None:
    _, told = run_once(database, keys, north)
    assert list(dict.fromkeys(one.partition(":")[0] for one in told)) == list(STEPS)


def test_a_reason_of_the_form_is_one_of_a_run() -> None:
    assert set(WHY) < set(runs.REASONS)


def test_a_run_started_by_hand_begins_at_once_whatever_the_reason(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    assert "There was no run yet" in browser.get("/runs").text
    refused = browser.post("/runs", data={"reason": "boredom"}, headers=HTML)
    assert refused.status_code == 422
    assert "Choose why you start a run." in refused.text
    answer = browser.post("/runs", data={"reason": "child referred"}, follow_redirects=False)
    assert answer.status_code == 303
    page = browser.get(answer.headers["location"]).text
    assert "Waits to begin" in page
    assert "Nobody is there to execute runs" in page  # no worker was ever heard of
    assert "Child referred. Asked for by coordinator of north." in page
    held = runs.take(service.database, service.north)
    assert held is not None  # no minute is waited
    assert "Child referred" in browser.get("/runs").text
    assert "stopped answering" not in browser.get(f"/runs/{held.run_id}").text
    with service.database.write(service.north) as session:
        runs.find(session, held.run_id).leased_until = utc_now() - timedelta(seconds=1)
    assert "stopped answering" in browser.get(f"/runs/{held.run_id}").text


def test_only_who_is_led_to_a_run_that_was_there_is_told_that_none_was_started(service: Service) -> None:
    browser, there = service.as_(Role.COORDINATOR), "no other one was started"
    started = browser.post("/runs", data={"reason": "manual"}, follow_redirects=False).headers["location"]
    held = runs.take(service.database, service.north)
    assert held is not None
    plans.make(service.database, service.keys, held, lambda _: None)
    assert there not in browser.get(started).text
    again = browser.post("/runs", data={"reason": "manual"}, headers=HTML)
    assert again.url.path == f"/runs/{held.run_id}"
    assert there in again.text


def test_runs_that_kith_began_and_that_changed_nothing_are_folded_away(service: Service) -> None:
    """Not those that a person asked for or whose plan was published, nor one that changed something, nor the newest."""
    database, north, browser = service.database, service.north, service.as_(Role.COORDINATOR)

    def by_itself() -> str:
        return by_night(service)

    first, *quiet = [by_itself() for _ in range(4)]
    started = browser.post("/runs", data={"reason": "manual"}, follow_redirects=False).headers["location"]
    by_hand = started.rpartition("/")[2]
    held = runs.take(database, north)
    assert held is not None
    plans.make(database, service.keys, held, lambda _: None)
    a_night_later(service)
    published = by_itself()
    assert browser.post(f"/runs/{published}/publish", data={"reason": "for a test"}).status_code == 200
    alone = by_itself()
    with database.write(north) as session:
        refuse_first(Repository(session, service.keys), alone)
    changed, *again = [by_itself() for _ in range(4)]
    with database.write(north) as session:
        for plan in session.scalars(select(tables.Plan)):
            plan.content = b"opened by nobody who looks at the list"
    page = browser.get("/runs").text
    folds = re.findall(r"<details.*?</details>", page, re.DOTALL)
    assert [re.findall(r"/runs/(\w+)", fold) for fold in folds] == [again[1::-1], quiet[::-1]]
    assert "2 runs that changed nothing" in folds[0]
    assert re.findall(r'<th scope="row"[^>]*><a class="govuk-link" href="/runs/(\w+)', page) == [
        again[2], changed, alone, published, by_hand, first,
    ]  # fmt: skip


@pytest.mark.parametrize("other", ["status", "unmatched"])
def test_a_run_of_the_same_matches_may_have_changed_something(service: Service, other: str) -> None:
    """It may be proven now, or have somebody else to leave: not every child who waits has a shortlist to tell by."""
    database, keys, north = service.database, service.keys, service.north
    first = by_night(service)
    with database.write(north) as session:
        rows = Repository(session, keys)
        row, found = plans.of_run(rows, first)
        before = {**found.plan, other: {"status": "FEASIBLE", "unmatched": found.plan["unmatched"][1:]}[other]}
        assert found.plan["status"] == "OPTIMAL"
        assert before != found.plan
        rows.seal(row, "content", json.dumps({**vars(found), "plan": before}))
    second, third = (by_night(service) for _ in range(2))
    with database.read(north) as session:
        rows = Repository(session, keys)
        assert [plans.of_run(rows, one)[0].unchanged for one in (first, second, third)] == [False, False, True]


def test_what_is_left_is_told_beside_a_plan_only_while_the_records_are_those_it_read(service: Service) -> None:
    """An appointment made since counts as committed: beside the whole plan it would count on both sides."""
    run_id, _ = run_once(service.database, service.keys, service.north)
    browser = service.as_(Role.COORDINATOR)
    assert re.search(r"spent of the £[\d,.]+ left this year on journeys", browser.get(f"/runs/{run_id}").text)
    with service.database.write(service.north) as session:
        session.scalars(select(tables.Budget).where(tables.Budget.budget_pence > 0)).all()[0].spent_pence += 1
    page = browser.get(f"/runs/{run_id}").text
    assert "left this year" not in page
    assert "a year on journeys out of the county" in page


def test_what_a_plan_changes_is_told_and_a_person_publishes_it(service: Service) -> None:
    database, keys, north = service.database, service.keys, service.north
    first, _ = run_once(database, keys, north)
    browser = service.as_(Role.COORDINATOR)
    assert "This was the first plan" in browser.get(f"/runs/{first}").text
    refused = browser.post(f"/runs/{first}/publish", data={"reason": "ok"}, headers=HTML)
    assert refused.status_code == 422
    assert "Say in 3 to 500 characters" in refused.text
    assert browser.post(f"/runs/{first}/publish", data={"reason": "Agreed by all."}).status_code == 200
    page = browser.get(f"/runs/{first}").text
    assert "This is the published plan." in page
    assert "Agreed by all." in page
    with database.write(north) as session:
        rows = Repository(session, keys)
        child, volunteer = refuse_first(rows, first)
        references = rows.references()
        runs.ask_for(session, north, "match ended")
    assert "Records have changed since" not in page
    second, _ = run_once(database, keys, north)
    with database.read(north) as session:
        diff = plans.of_run(Repository(session, keys), second)[1].diff or {}
    change = next(one for one in diff["changes"] if one["child"] == child)
    page = browser.get(f"/runs/{second}?show={change['kind']}").text
    assert ", whose plan was published" in page
    assert f'href="/children/{child}"' in page
    assert f"{references[volunteer]} is no longer possible" in page
    kinds = {one["kind"] for one in diff["changes"]}
    assert all(f"?show={kind}" in page for kind in kinds)
    lists = browser.get(f"/runs/{second}?show=shortlists").text
    assert f'href="/children/{child}/shortlist"' in lists
    assert all(id not in re.sub(r'href="[^"]*"', "", page) for id in references)  # sentences have references alone
    stale = browser.post(f"/runs/{first}/publish", data={"reason": "once more"}, headers=HTML)
    assert stale.status_code == 409
    log = service.as_(Role.AUDITOR).get(f"/log?subject={child}&days=0").text
    assert "Opened a plan" in log


def test_what_a_plan_changes_comes_first_and_what_stays_is_for_who_asks(service: Service) -> None:
    database, north, browser = service.database, service.north, service.as_(Role.COORDINATOR)
    chosen, listed = r'<a href="\?show=(\w+)" aria-current="true"', '<th scope="row"'
    first, _ = run_once(database, service.keys, north)
    assert re.findall(chosen, browser.get(f"/runs/{first}").text) == ["plan"]  # all of it is new
    with database.write(north) as session:
        runs.find(session, first).requested_at -= timedelta(days=1)
    same, _ = run_once(database, service.keys, north)
    page = browser.get(f"/runs/{same}").text
    assert "Nothing changes: every child in the plan keeps their volunteer in it" in page
    assert re.findall(chosen, page) == []
    assert listed not in page.partition("What changes")[2].partition("</section>")[0]
    assert listed in browser.get(f"/runs/{same}?show=kept").text
    with database.write(north) as session:
        refuse_first(Repository(session, service.keys), same)
    changed, _ = run_once(database, service.keys, north)
    page = browser.get(f"/runs/{changed}").text
    assert re.findall(chosen, page)[0] in ("new", "changed", "unmatched")
    shown = re.findall(r'href="\?show=(\w+)"', page)
    assert shown[-2:] == ["kept", "plan"]  # after what changed


def changed_lately(browser: TestClient) -> str:
    """What Today tells of it."""
    heading = f"What runs changed in the last {CHANGE_DAYS} days</h2>"
    return browser.get("/").text.partition(heading)[2].partition("</section>")[0]


def test_today_tells_what_the_last_run_changed_and_who_lost_everybody_first(service: Service) -> None:
    database, keys, north = service.database, service.keys, service.north
    browser = service.as_(Role.COORDINATOR)
    assert "No run yet" in browser.get("/").text
    run_once(database, keys, north)
    assert "No shortlist is other than it was then" in browser.get("/").text
    with database.write(north) as session:
        rows = Repository(session, keys)
        references = rows.references()
        instance = rows.instance(today())
        lists = {
            one.id: [candidate.volunteer for candidate in shortlist(instance, one.id, top=99, rank_by="fit")]
            for one in instance.waiting
        }
        first, *_, visited, last = sorted((child for child, some in lists.items() if len(some) > 1), key=references.get)
        for volunteer in lists[last]:
            session.add(tables.Declined(child_id=last, volunteer_id=volunteer, said_by="child"))
        a_match(session, rows.child(visited), rows.volunteer(lists[visited][0]), State.ACTIVE)
        row = rows.volunteer(lists[first][0])  # on the lists of others, too
        rows.write_volunteer(row, replace(rows.volunteer_record(row), status=Status.SUSPENDED))
        runs.ask_for(session, north, "match ended")
    second, _ = run_once(database, keys, north)
    told = changed_lately(browser)
    assert "The last run, of " in told
    assert f'href="/runs/{second}"' in told
    lines = re.findall(r'<li><a [^>]*href="/children/(\w+)/shortlist">([^<]*)</a> <span>([^<]*)</span>', told)
    assert lines[0] == (last, references[last], f"nobody could visit any more, since {short_day(today())}")
    assert all("nobody could visit" not in words for _, _, words in lines[1:])
    assert first in [child for child, _, _ in lines]
    every = browser.get(f"/runs/{second}?show=shortlists", headers=HTML).text
    assert f"{references[visited]}</a></th>" in every
    told_of = every.partition(f'href="/children/{visited}"')[2].partition("</tr>")[0]
    assert "Has a visitor now." in told_of  # whose list is empty as it should be
    number = int(re.search(r"(\d+) shortlists have changed", told)[1])  # type: ignore[index]
    assert len(lines) == min(number, MOST_FOLDED)
    with database.read(north) as session:
        read = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.reason == "today")).all()[-1]
    assert {child for child, _, _ in lines} <= set(read.details["children"])  # it stands in the log who was shown


def test_today_tells_what_the_runs_of_a_week_changed_but_not_what_they_changed_back(service: Service) -> None:
    """Whoever was away on the day of a run finds it still."""
    database, keys, north = service.database, service.keys, service.north
    browser, (child, volunteer) = service.as_(Role.COORDINATOR), service.eligible_pair()

    def told() -> dict[str, str]:
        lines = r'<li><a [^>]*href="/children/(\w+)/shortlist">[^<]*</a> <span>([^<]*)</span>'
        return dict(re.findall(lines, changed_lately(browser)))

    def stands(status: Status) -> None:
        with database.write(north) as session:
            rows = Repository(session, keys)
            row = rows.volunteer(volunteer)
            rows.write_volunteer(row, replace(rows.volunteer_record(row), status=status))

    run_once(database, keys, north)
    stands(Status.SUSPENDED)
    away, _ = run_once(database, keys, north)
    assert child in told()
    with database.write(north) as session:  # later, another thing
        session.get_one(tables.Authority, north).data_version += 1
    run_once(database, keys, north)
    assert child in told()
    with database.write(north) as session:
        long_ago = utc_now() - timedelta(days=CHANGE_DAYS, minutes=1)
        plans.row_of(session, away).created_at = long_ago  # type: ignore[union-attr]
        session.get_one(tables.Authority, north).data_version += 1
    run_once(database, keys, north)
    assert told() == {}
    stands(Status.APPROVED)
    run_once(database, keys, north)
    assert child in told()
    stands(Status.SUSPENDED)
    run_once(database, keys, north)
    assert told() == {}  # as it was a week ago


def test_whose_children_they_are_is_told_and_ones_own_come_first(service: Service) -> None:
    database, keys, north = service.database, service.keys, service.north
    run_once(database, keys, north)
    with database.write(north) as session:
        rows = Repository(session, keys)
        name = rows.account_name(service.users["north", Role.COORDINATOR])
        instance = rows.instance(today())
        lists = {one.id: [who.volunteer for who in shortlist(instance, one.id, top=99)] for one in instance.waiting}
        references = rows.references()
        theirs, *_, own = sorted((child for child, some in lists.items() if some), key=references.get)
        for child, coordinator in ((theirs, "Somebody Else"), (own, name.upper())):
            row = rows.child(child)
            rows.write_child(row, replace(rows.child_record(row, family_known=True), coordinator=coordinator))
            for volunteer in lists[child]:  # nobody is left to either
                session.add(tables.Declined(child_id=child, volunteer_id=volunteer, said_by="child"))
        runs.ask_for(session, north, "match ended")
    run, _ = run_once(database, keys, north)

    def first_two(role: Role) -> list[str]:
        told = changed_lately(service.as_(role))
        assert ("of them of your children" in told) is (role is Role.COORDINATOR)
        assert "Somebody Else</b>" in told
        return re.findall(r'<li><a [^>]*href="/children/(\w+)/shortlist">', told)[:2]

    assert first_two(Role.MANAGER) == [theirs, own]  # by reference, as both lost everybody
    assert first_two(Role.COORDINATOR) == [own, theirs]
    every = service.as_(Role.COORDINATOR).get(f"/runs/{run}?show=shortlists", headers=HTML).text
    assert every.index(f'href="/children/{own}"') < every.index(f'href="/children/{theirs}"')
    assert ">Somebody Else</td>" in every


def test_a_plan_that_a_rule_forbids_by_now_is_refused_by_reference_with_the_reason_kept(service: Service) -> None:
    database, keys, north = service.database, service.keys, service.north
    run_id, _ = run_once(database, keys, north)
    with database.write(north) as session:
        rows = Repository(session, keys)
        child, _ = refuse_first(rows, run_id)
        reference = rows.references()[child]
    answer = service.as_(Role.MANAGER).post(f"/runs/{run_id}/publish", data={"reason": "Agreed by all."}, headers=HTML)
    assert answer.status_code == 409
    summary = answer.text.partition("govuk-error-summary")[2].partition("<h1")[0]
    assert reference in summary
    assert child not in summary
    assert "Start a new run" in summary
    assert "Agreed by all." in answer.text
    assert "Records have changed since" in answer.text


def test_an_analyst_sees_how_good_a_plan_is_and_of_whom_nothing(service: Service) -> None:
    run_id, _ = run_once(service.database, service.keys, service.north)
    page = service.as_(Role.ANALYST).get(f"/runs/{run_id}", headers=HTML).text
    assert "No better plan exists." in page
    with service.database.read(service.north) as session:
        known = Repository(session, service.keys).references()
    assert not any(id in page or f">{reference}<" in page for id, reference in known.items())
    assert "kith-map" not in page
    assert "Publish" not in page
    desk, why = service.as_(Role.COORDINATOR), "So that Aisha has somebody by Easter."
    desk.post(f"/runs/{run_id}/publish", data={"reason": why})
    for path in (f"/runs/{run_id}", "/runs"):
        assert why in desk.get(path, headers=HTML).text
        told = service.as_(Role.ANALYST).get(path, headers=HTML).text
        assert "published" in told
        assert "Aisha" not in told


def test_a_page_that_watches_is_told_when_the_run_is_over(service: Service) -> None:
    with service.database.write(service.north) as session:
        run_id = runs.ask_for(session, service.north, "manual").id
    browser = service.as_(Role.COORDINATOR)
    watching = browser.get(f"/runs/{run_id}", headers={"HX-Request": "true"})
    assert 'id="progress"' in watching.text
    browser.post(f"/runs/{run_id}/cancel")
    assert browser.get(f"/runs/{run_id}", headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"
    late = browser.post(f"/runs/{run_id}/cancel", headers=HTML)
    assert late.status_code == 409
    assert "cannot be cancelled any more" in late.text


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"status": "OPTIMAL"}, "No better plan exists."),
        (
            {"status": "FEASIBLE", "tiers": {"points": 900}, "first_tier_bound": 940},
            "The best found so far; at most 40 points better is possible.",
        ),
        (
            {"status": "FEASIBLE", "tiers": {"children_matched": 9, "fit": 1}, "first_tier_bound": 11},
            "The best found so far; at most 2 more of the children with a volunteer is possible.",
        ),
        (
            {"status": "FEASIBLE", "tiers": {"children_matched": 9, "fit": 1}, "first_tier_bound": 9},
            "The best found so far; what counts first cannot be bettered.",
        ),
    ],
)
def test_how_good_a_plan_is_in_words(plan: dict[str, Any], words: str) -> None:
    assert proof(plan["status"], plan.get("tiers", {}), plan.get("first_tier_bound", 0)) == words


def test_the_map_and_its_table_say_the_same_as_the_plan(database: Database, keys: KeyRing, north: str) -> None:
    run_id, _ = run_once(database, keys, north)
    with database.read(north) as session:
        rows = Repository(session, keys)
        plan, instance = plans.of_run(rows, run_id)[1].plan, rows.instance(plans.today())
    told = journeys.of_plan(instance, plan)
    assert told is not None
    placed = {child.id for child in instance.children if child.placement}
    homes = {one.id for one in instance.volunteers if one.home}
    assert sum(one.matched for one in told.districts) == sum(one["child"] in placed for one in plan["matches"])
    assert sum(one.left for one in told.districts) == sum(one["child"] in placed for one in plan["unmatched"])
    both = [one for one in plan["matches"] if one["child"] in placed and one["volunteer"] in homes]
    assert sum(number for one in told.districts for _, number in one.sources) == len(both)
    drawn = {(source.name, target.name): number for source, target, number in told.lines}
    listed = {(source, one.name): number for one in told.districts for source, number in one.sources}
    assert drawn.items() <= listed.items()
    assert all(0 < one.x < told.width and 0 < one.y < told.height for one in told.districts if one.shown)


# ---- in a browser ----------------------------------------------------------------------------------------------------


def test_runs_from_the_first_to_a_published_plan(site: Site) -> None:
    """Each state as axe and a phone see it; the last part by links and forms alone."""
    page = site.page()
    database, keys, north = site.kith.database, site.kith.keys, site.north
    found = faults(page, f"{site.at}/runs")  # nothing yet
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{site.at}/runs")
    page.get_by_role("button", name="Start").click()
    assert "Choose why you start a run." in page.inner_text(".govuk-error-summary")
    page.locator("#reason").focus()
    page.keyboard.type("To see")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/runs/R"))
    own = page.url
    held = runs.take(database, north)
    assert held is not None
    page.get_by_text("Beginning").wait_for()  # without being asked
    runs.renew(database, held, progress="Scoring the pairs")
    page.get_by_text("Weighing how well each pair fits").wait_for()
    assert page.get_by_role("progressbar").get_attribute("value") == "4"
    found += faults(page, own.partition("?")[0])
    plans.make(database, keys, held, lambda _: None)
    page.get_by_text("No better plan exists.").wait_for()  # the page was loaded anew
    with database.write(north) as session:
        refuse_first(Repository(session, keys), held.run_id)
        a_run(session, north, "failed", f"The worker stopped. {HOSTILE}", keys, finished_at=utc_now())
        a_run(session, north, "cancelled", finished_at=utc_now(), requested_at=utc_now() - timedelta(days=1))
    second, _ = run_once(database, keys, north, "match ended")
    page = site.page(script=False)
    page.goto(f"{site.at}/runs")
    page.get_by_role("row").filter(has_text="Match ended").get_by_role("link").click()
    assert page.url.endswith(second)
    page.fill("#reason", HOSTILE)
    page.get_by_role("button", name="Publish").click()
    assert HOSTILE in page.inner_text("main")
    page.get_by_role("link", name=re.compile("Still waiting")).click()
    assert page.get_by_role("row").count() > 1
    page = site.page()
    with database.read(north) as session:
        every = session.scalars(select(tables.Run.id)).all()
    found += [fault for id in every for fault in faults(page, f"{site.at}/runs/{id}")]
    for show in ("kept", "plan", "left"):
        found += faults(page, f"{site.at}/runs/{second}?show={show}")
    found += faults(page, f"{site.at}/runs")
    assert page.evaluate("window.ran") is None
    found += faults(site.page(Role.ANALYST), f"{site.at}/runs/{second}")
    assert found == []

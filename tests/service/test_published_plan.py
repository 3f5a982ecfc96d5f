"""After a plan is published: who works by it is led from what it proposes to a proposal, and told what became of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import unescape

import pytest
from browser import Site, faults
from conftest import Service
from service_rows import a_match
from sqlalchemy import select
from test_proposals import WAY
from test_proposals import Desk as Steps
from test_run_pages import run_once

from matcher import alone
from matcher.instance import today
from matcher.records import Party, Status
from matcher.shortlist import shortlist
from service import matching, plans, privacy, standing
from service.database import tables
from service.pages import reckoning
from service.pages.html import long_day
from service.permissions import Role
from service.plans import Published
from service.proposals import Chosen, failing_rules, propose
from service.reasons import IN_PLAN
from service.repository import Repository
from service.workflow import State, StepRefusedError


@dataclass(frozen=True)
class Desk:
    """A coordinator the morning after a plan was published, and one pair of it."""

    service: Service
    plan: Published
    child: str
    volunteer: str
    names: dict[str, str]

    @property
    def name(self) -> str:
        return self.names[self.child]

    @property
    def says(self) -> str:
        """How a page begins to speak of the plan, by the day on which it was published."""
        return f"The plan published on {long_day(self.plan.published_at)}"

    @property
    def visitor(self) -> str:
        return self.names[self.volunteer]

    def words(self, path: str, role: Role = Role.COORDINATOR) -> str:
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", self.page(path, role)))

    def page(self, path: str, role: Role = Role.COORDINATOR) -> str:
        answer = self.service.as_(role).get(path, headers={"Accept": "text/html"})
        assert answer.status_code == 200
        return answer.text

    def row(self) -> str:
        """What the plan's own page says of the child, under “Now”."""
        number, found = 1, ""
        while not found:
            page = self.page(f"/runs/{self.plan.run_id}?show=plan&page={number}")
            found, number = page.partition(f'href="/children/{self.child}">')[2].partition("</tr>")[0], number + 1
        return found.partition('data-label="Now"')[2]

    def to_propose(self) -> int:
        """How many Today counts; and the list of children, and the plan's page, count as many."""
        told = re.search(r"To propose, by the published plan (\d+)?", self.words("/"))
        assert told is not None
        number = int(told[1] or 0)
        assert re.search(rf"To propose {number}\b", self.words("/children"))
        assert (f"{number} children in it have nobody proposed" in self.words(f"/runs/{self.plan.run_id}")) == (
            number > 1
        )
        return number

    def propose(self, child: str, volunteer: str, reason: str = "other") -> tables.Match:
        with self.service.database.write(self.service.north) as session:
            rows = Repository(session, self.service.keys)
            user = self.service.users["north", Role.COORDINATOR]
            return propose(rows, child, volunteer, user_id=user, reason=reason, chosen=Chosen("fit", 2, ()))


@pytest.fixture
def desk(service: Service) -> Desk:
    run_id, _ = run_once(service.database, service.keys, service.north)
    published = service.as_(Role.MANAGER).post(
        f"/runs/{run_id}/publish", data={"reason": "Agreed by all."}, follow_redirects=False
    )
    assert published.headers["location"] == f"/runs/{run_id}?show=plan"  # where there is something to do
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        plan, instance, names = plans.published(rows), rows.instance(today()), dict(rows.references())
    assert plan is not None
    at_once = {match.child for match in instance.pins}

    def rank(child: str, volunteer: str) -> int:
        return next(
            n
            for n, one in enumerate(shortlist(instance, child, top=99, rank_by="fit"), 1)
            if one.volunteer == volunteer
        )

    open_pairs = [pair for pair in plan.volunteer_of.items() if pair[0] not in at_once]
    child, volunteer = max(open_pairs, key=lambda pair: (rank(*pair), pair))  # as far down as there is
    return Desk(service, plan, child, volunteer, names)


def test_nothing_speaks_of_a_plan_while_none_is_published(service: Service) -> None:
    run_once(service.database, service.keys, service.north)
    child, volunteer = service.eligible_pair()
    browser = service.as_(Role.COORDINATOR)
    for path in ("/", f"/children/{child}", f"/children/{child}/shortlist", f"/volunteers/{volunteer}", "/children"):
        page = browser.get(path).text
        assert "published plan" not in page
        assert "plan published" not in page
        assert "To propose" not in page


def test_from_what_the_plan_proposes_to_the_proposal(desk: Desk) -> None:
    before = desk.to_propose()
    for path in (f"/children/{desk.child}", f"/volunteers/{desk.volunteer}"):
        assert f"{desk.says} proposes {desk.visitor}" in desk.words(path)
        assert f'href="/children/{desk.child}/shortlist#in-the-plan"' in desk.page(path)
    assert "Propose from the shortlist" in desk.row()
    shown = desk.page(f"/children/{desk.child}/shortlist")
    card = shown.partition('id="in-the-plan"')[2].partition('<li class="kith-card')[0]
    assert "In the published plan" in card.partition("Why they fit")[0]
    every = re.findall(r'name="with" value="(\w+)"', shown)
    other = next(one for one in every if one != desk.volunteer)
    beside = desk.words(f"/children/{desk.child}/compare?rank=plan&with={desk.volunteer}&with={other}")
    assert f"{desk.visitor} in the published plan" in beside
    at = re.search(rf'href="(/children/{desk.child}/propose/{desk.volunteer}[^"]*)"', card)
    assert at is not None
    form = desk.page(at[1])
    assert f'value="{IN_PLAN}"' in form
    assert "in the published plan" in form
    browser = desk.service.as_(Role.COORDINATOR)
    sent = {"reason": IN_PLAN, "rank": "plan", "csrf": browser.headers["X-CSRF-Token"]}
    made = browser.post(at[1], data=sent, follow_redirects=False)
    assert made.status_code == 303
    assert "The published plan proposed them." in desk.words(made.headers["location"])
    with desk.service.database.read(desk.service.north) as session:
        kept = session.scalars(select(tables.Proposal)).one()
    assert kept.plan_id == desk.plan.plan_id  # with which it stays for as long as the proposal
    for path in (f"/children/{desk.child}", f"/volunteers/{desk.volunteer}"):
        assert f"{desk.says} proposes" not in desk.words(path).replace(f"{desk.visitor} to C", "")
    assert "Under proposal" in desk.row()
    assert made.headers["location"] in desk.row()
    assert desk.to_propose() == before - 1
    assert f"/children/{desk.child}/" not in desk.page("/children?show=planned")


def test_whom_the_plan_proposes_is_on_the_shortlist_wherever_they_rank(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reckoning, "MOST", 1)
    place = re.search(r"is (first|number (\d+)) on the shortlist", desk.words(f"/children/{desk.child}"))
    assert place is not None
    assert place[2] is not None  # else the test asks for nothing: the county is the same every time
    page = desk.page(f"/children/{desk.child}/shortlist?rank=fit")
    ranks = re.findall(r'aria-label="Rank (\d+)"', page)
    assert ranks == ["1", place[2]]
    assert "Above are the first 1 of" in page
    assert f"and {desk.visitor}, whom the published plan proposes" in page
    assert f"number {place[2]}" in desk.words(f"/children/{desk.child}/propose/{desk.volunteer}?rank=fit")


def test_who_was_suspended_since_is_said_in_one_sentence_and_proposed_to_nobody(desk: Desk) -> None:
    before = desk.to_propose()
    with desk.service.database.write(desk.service.north) as session:
        rows = Repository(session, desk.service.keys)
        row = rows.volunteer(desk.volunteer)
        user = desk.service.users["north", Role.MANAGER]
        standing.set_status(rows, row, Status.SUSPENDED, user_id=user, reason="check lapsed")
    for path in (f"/children/{desk.child}", f"/children/{desk.child}/shortlist", f"/volunteers/{desk.volunteer}"):
        told = desk.words(path)
        assert f"which is no longer possible. {desk.visitor} is not approved: the status is suspended." in told
        assert 'shortlist#in-the-plan"' not in desk.page(path)
    assert "Not possible now" in desk.row()
    theirs = sum(volunteer == desk.volunteer for volunteer in desk.plan.volunteer_of.values())
    assert desk.to_propose() == before - theirs


@pytest.mark.parametrize("state", [State.PROPOSED, State.ACTIVE])
def test_who_was_taken_since_is_said_and_by_whom_is_not(desk: Desk, state: State) -> None:
    """Another child's match is theirs."""
    with desk.service.database.write(desk.service.north) as session:
        rows = Repository(session, desk.service.keys)
        live = set(session.scalars(select(tables.Match.child_id).where(tables.Match.place.is_not(None))))
        children = [rows.child(one) for one in desk.plan.left if one not in live]
        own = rows.child(desk.child).family_id
        of_family = {one.family_id: one for one in children if one.family_id != own and not one.objects}
        row = rows.volunteer(desk.volunteer)
        for place, other in enumerate(list(of_family.values())[: row.capacity]):
            a_match(session, other, row, state, place)
    told = desk.words(f"/children/{desk.child}")
    spoken_for = f"which is no longer possible. {desk.visitor} is spoken for by now."
    assert f"{desk.says} proposes {desk.visitor}, {spoken_for}" in told
    box = told.partition("which is no longer possible.")[2].partition("About the child")[0]
    assert not re.search(r"C\d", box)
    assert "Not possible now" in desk.row()


def test_the_volunteers_page_says_that_the_child_has_somebody_else(desk: Desk) -> None:
    with desk.service.database.read(desk.service.north) as session:
        instance = Repository(session, desk.service.keys).instance(today())
    held = {match.volunteer for match in instance.pins}
    other = next(
        one.volunteer
        for one in shortlist(instance, desk.child, top=99, rank_by="fit")
        if one.volunteer != desk.volunteer and one.volunteer not in held
    )
    match = desk.propose(desk.child, other)
    told = desk.words(f"/volunteers/{desk.volunteer}")
    assert f"{desk.name} is under proposal now." in told
    assert f"Under proposal, with {desk.names[other]}" in re.sub(r"<[^>]+>", "", desk.row())
    assert f"/proposals/{match.id}" in desk.row()
    assert desk.says not in desk.words(f"/children/{desk.child}")


def test_a_child_without_a_place_in_the_plan_is_told_why_as_the_run_told_it(desk: Desk) -> None:
    browser, told = desk.service.as_(Role.COORDINATOR), 0
    with desk.service.database.read(desk.service.north) as session:
        ready = alone.ready_children(Repository(session, desk.service.keys).instance(today()))
    for child, reason in desk.plan.left.items():
        page = unescape(browser.get(f"/children/{child}").text)
        said = f"{desk.says} has nobody for {desk.names[child]}. Its run told why: {reason}" in page
        assert said == ready[child]  # of the others their own page says what stands in the way
        told += said
    assert told


def test_a_plan_of_a_year_ago_is_told_as_one_of_a_year_ago(desk: Desk) -> None:
    with desk.service.database.write(desk.service.north) as session:
        row = plans.current(session)
        assert row is not None
        row.published_at = datetime(2025, 11, 27, 12, tzinfo=UTC)
    reckoning._KEPT.clear()
    for path in (f"/children/{desk.child}", f"/volunteers/{desk.volunteer}", "/"):
        assert "The plan published on 27 November 2025" in desk.words(path)


@pytest.mark.parametrize("records_first", [False, True])
def test_today_tells_what_has_changed_since_the_plan_was_made(desk: Desk, records_first: bool) -> None:
    then = "a new run may find a better plan."
    assert then not in desk.words("/")

    def another_policy() -> None:
        with desk.service.database.write(desk.service.north) as session:
            rows = Repository(session, desk.service.keys)
            policy = rows.policy()[1].with_weights(interests=1)
            rows.add_policy(policy, user_id=desk.service.users["north", Role.MANAGER], reason="for a test")

    def another_record() -> None:
        with desk.service.database.write(desk.service.north) as session:
            rows = Repository(session, desk.service.keys)
            child = rows.child(desk.child)
            rows.write_child(child, replace(rows.child_record(child, family_known=True), coordinator="Somebody else"))

    if records_first:
        another_record()
        assert f"Since it was made, records have changed: {then}" in desk.words("/")
        another_policy()
    else:
        another_policy()
        assert f"Since it was made, the policy is another: {then}" in desk.words("/")
        another_record()
    assert f"Since it was made, records have changed and the policy is another: {then}" in desk.words("/")


@pytest.mark.parametrize("over", ["the child said no", "the volunteer said no", "ended"])
def test_a_pair_that_has_had_its_answer_is_not_told_of_any_more(desk: Desk, over: str) -> None:
    steps = Steps(desk.service)
    match = desk.propose(desk.child, desk.volunteer).id
    if over == "ended":
        for step, by in WAY:
            steps.step(match, step, by)
        steps.step(match, "end", Party.AUTHORITY, "other")
    elif over == "the child said no":
        steps.step(match, "child_declines", Party.CHILD, "does not want this visitor")
    else:
        steps.step(match, "volunteer_declines", Party.VOLUNTEER, "too far")
    assert desk.says not in desk.words(f"/children/{desk.child}")
    assert desk.says not in desk.words(f"/children/{desk.child}/shortlist")
    assert f"{desk.visitor} to {desk.name}" not in desk.words(f"/volunteers/{desk.volunteer}")
    assert f"/children/{desk.child}/shortlist#in-the-plan" not in desk.page("/")


def test_of_a_volunteer_who_was_erased_nothing_is_proposed_and_no_child_is_said_to_be_new(desk: Desk) -> None:
    """Before a restart and after it: what is kept of the plan is what is left of it."""
    assert desk.visitor in desk.words(f"/children/{desk.child}")
    with desk.service.database.write(desk.service.north) as session:
        rows = Repository(session, desk.service.keys)
        user = desk.service.users["north", Role.MANAGER]
        row = rows.volunteer(desk.volunteer)
        privacy.erase_volunteer(rows, row, user_id=user, reason="asked to be erased")
    left = (
        f"{desk.says} has nobody for {desk.name}: they did not wait for a visitor when it was made, or the volunteer "
        "whom it had for them is no longer in Kith."
    )
    for _ in range(2):
        told = desk.words(f"/children/{desk.child}")
        assert left in told
        assert "erased V" not in told
        assert desk.says not in desk.words(f"/children/{desk.child}/shortlist")
        reckoning._KEPT.clear()


def test_in_the_plan_is_a_reason_for_what_the_published_plan_proposes_and_for_nothing_else(desk: Desk) -> None:
    others = [one for one in desk.plan.volunteer_of.values() if one != desk.volunteer]
    with pytest.raises(StepRefusedError, match="published plan does not propose them to each other"):
        desk.propose(desk.child, others[0], IN_PLAN)
    assert desk.propose(desk.child, desk.volunteer, IN_PLAN).state == State.PROPOSED


def planned_for_another(desk: Desk) -> tuple[str, str, str]:
    """A child and the volunteer of the plan, and another child who could have them."""
    with desk.service.database.read(desk.service.north) as session:
        instance = Repository(session, desk.service.keys).instance(today())
    at_once = {match.child for match in instance.pins}
    return next(
        (planned, volunteer, one.id)
        for planned, volunteer in sorted(desk.plan.volunteer_of.items())
        for one in instance.waiting
        if not at_once & {planned, one.id}
        and one.id != planned
        and desk.plan.volunteer_of.get(one.id) != volunteer
        and not failing_rules(instance, one.id, volunteer)
    )


def last_read(desk: Desk) -> list[str]:
    """The other children whom the last reading told of, by the log."""
    with desk.service.database.read(desk.service.north) as session:
        read = select(tables.AuditEvent).where(tables.AuditEvent.action == "read")
        last = session.scalars(read.order_by(tables.AuditEvent.number.desc())).first()
    assert last is not None
    return list(last.details["children"])


def test_whoever_proposes_is_told_at_once_for_whom_else_the_plan_has_the_volunteer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the effects of the choice are worked out; and the proposal keeps that they were told."""
    monkeypatch.setattr(matching, "PATIENCE", 0.0)
    other, volunteer, child = planned_for_another(desk)
    on = f"In the plan published on {long_day(desk.plan.published_at)}"
    says = f"{on} this volunteer is for another child ({desk.names[other]}), and nobody is proposed there yet."
    path = f"/children/{child}/propose/{volunteer}"
    assert says in desk.words(path)
    assert on not in desk.words(f"/children/{other}/propose/{volunteer}")
    coordinator = desk.service.as_(Role.COORDINATOR)
    made = coordinator.post(
        path, data={"reason": "the child's wish", "rank": "plan", "planned_for": other}, follow_redirects=False
    )
    assert made.status_code == 303, made.text
    match = made.headers["location"]
    assert f"The published plan proposed {desk.names[volunteer]} for {desk.names[other]} then." in desk.words(match)
    assert last_read(desk) == [other]


def test_a_program_is_told_the_same_and_the_proposal_keeps_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "PATIENCE", 0.0)
    other, volunteer, child = planned_for_another(desk)
    path = f"/api/v1/children/{child}/shortlist?rank_by=fit&top=50"
    coordinator, analyst = desk.service.as_(Role.COORDINATOR), desk.service.as_(Role.ANALYST)
    shown = coordinator.get(path).json()
    told = {one["volunteer"]: one["planned_elsewhere"] for one in shown["shortlist"]}
    assert told[volunteer] == [other]
    assert other in last_read(desk)
    pseudonyms = analyst.get(path).text
    assert {one["volunteer"]: one["planned_elsewhere"] for one in json.loads(pseudonyms)["shortlist"]} == told
    assert desk.names[other] not in pseudonyms
    kept = coordinator.get(f"/api/v1/children/{other}/shortlist").json()["shortlist"]  # as the run found it
    assert next(one["planned_elsewhere"] for one in kept if one["volunteer"] == volunteer) == []
    body = {"served": shown["served"], "volunteer": volunteer, "reason": "the child's wish"}
    made = coordinator.post("/api/v1/proposals", json=body)
    assert (made.status_code, made.json()["planned_elsewhere"]) == (201, [other]), made.text
    match = made.json()["id"]
    assert f"The published plan proposed {desk.names[volunteer]} for {desk.names[other]} then." in desk.words(
        f"/proposals/{match}"
    )
    again = coordinator.get(f"/api/v1/matches/{match}")
    assert again.json()["planned_elsewhere"] == [other]
    assert last_read(desk) == [other]


def test_who_reads_of_a_child_by_the_plan_stands_in_the_log(desk: Desk) -> None:
    def read(path: str) -> set[str]:
        desk.page(path)
        with desk.service.database.read(desk.service.north) as session:
            query = select(tables.AuditEvent).where(tables.AuditEvent.action == "read")
            last = session.scalars(query.order_by(tables.AuditEvent.number.desc())).first()
        assert last is not None
        return {*last.details.get("children", ())}

    assert desk.child in read(f"/volunteers/{desk.volunteer}")
    for path in ("/", "/children?show=planned"):
        named = {*re.findall(r"/children/(C\w+)/shortlist#in-the-plan", desk.page(path))}
        assert named
        assert named <= read(path)


def test_an_analyst_sees_how_much_is_to_be_done_and_for_whom_not(desk: Desk) -> None:
    page = desk.page(f"/runs/{desk.plan.run_id}?show=plan", Role.ANALYST)
    assert "What to do next" in page
    assert "/children" not in page
    assert not any(name in page for name in desk.names.values())


def test_who_is_here_by_a_match_alone_is_said_beside_the_children_with_a_visitor(service: Service) -> None:
    """Today counts their matches, so that a list without them says where they are."""
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        for row in session.scalars(select(tables.Match).where(tables.Match.state == "active")):
            rows.child(row.child_id).referral = False
        session.flush()
        known = set(session.scalars(select(tables.Child.id).where(tables.Child.referral)))
        live = session.scalars(select(tables.Match.child_id).where(tables.Match.place.is_not(None)))
        alone_here = len({child for child in live if child not in known})
    assert alone_here
    for show in ("visited", "waiting"):  # in whichever group somebody looks at how many have a visitor
        page = service.as_(Role.COORDINATOR).get(f"/children?show={show}", headers={"Accept": "text/html"}).text
        assert re.search(rf"Not counted here: {alone_here} child", page.replace("one child", "1 child"))
        assert 'href="/proposals?show=matches"' in page


def test_under_a_coordinator_only_their_own_are_counted_of_those_who_are_here_by_a_match_alone(
    service: Service,
) -> None:
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        active = session.scalars(select(tables.Match).where(tables.Match.state == "active")).all()
        for row in active:
            rows.child(row.child_id).referral = False
            rows.name_coordinator(row, "Somebody Else" if row is active[0] else None)

    def told(coordinator: str) -> str:
        browser = service.as_(Role.COORDINATOR)
        page = browser.get("/children", params={"show": "visited", "coordinator": coordinator}).text
        found = re.search(r"Not counted here: (\w+) child", page)
        return found[1] if found else ""

    assert told("Somebody Else") == "one"
    assert told("A Third") == ""
    assert told("nobody") not in ("", told(""))


# ---- in a browser ----------------------------------------------------------------------------------------------------


def test_from_today_to_a_proposal_by_what_the_pages_offer(site: Site) -> None:
    """Without script; then each page as axe and a phone see it."""
    database, keys, north = site.kith.database, site.kith.keys, site.north
    run_id, _ = run_once(database, keys, north)
    page = site.page(Role.MANAGER, script=False)
    page.goto(f"{site.at}/runs/{run_id}")
    page.fill("#reason", "Agreed at the matching meeting.")
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("What to do next:").wait_for()
    page.get_by_role("link", name="these children in the list").click()
    every = page.locator("tbody tr").count()
    page.goto(site.at)
    section = page.locator("section:has(h2:has-text('To propose, by the published plan'))")
    pair = section.locator("li a").first
    child, volunteer = pair.inner_text().split(" and ")
    pair.click()
    card = page.locator("#in-the-plan")
    assert card.bounding_box()["y"] < 900  # type: ignore[index]  # where the link has led, whoever stands before them
    assert volunteer in card.inner_text()
    shortlist_of = page.url.partition("#")[0]
    card.get_by_role("button", name="Propose").click()
    page.get_by_label("In the plan").check()
    page.locator("main form button.govuk-button").click()
    page.wait_for_url(re.compile("/proposals/M"))
    page.goto(f"{site.at}/children?show=planned")
    assert page.locator("tbody tr").count() == every - 1
    assert child not in page.inner_text("tbody")
    left = page.locator("tbody th a").first.get_attribute("href")
    page = site.page()
    paths = ("/", "/children?show=planned", left, f"{left}/shortlist", f"/runs/{run_id}?show=plan")
    found = [fault for path in paths for fault in faults(page, f"{site.at}{path}")]
    page.goto(f"{site.at}{left}/shortlist")
    found += faults(page, site.at + (page.locator("#in-the-plan h2 a").get_attribute("href") or ""))
    found += faults(page, shortlist_of)
    assert found == []

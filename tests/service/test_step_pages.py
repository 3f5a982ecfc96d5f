"""Proposals and matches step by step on their pages: when, by whom, and what stands in the way."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from browser import Site
from conftest import Service
from page_reading import HTML, fields_of, proposal_of, shared, ticks
from sqlalchemy import select

from matcher.geography import find_place
from matcher.instance import LONDON, today
from matcher.records import Child, Gender, Need, Party, Rhythm, Time
from service import profiles, steps
from service.database.base import utc_now
from service.database.tables import AuditEvent, Decision, Match, Proposal
from service.pages.html import moment
from service.pages.when import happened
from service.permissions import Role
from service.proposals import take_step
from service.reasons import ASKED_BY
from service.reports import Year
from service.repository import Repository
from service.workflow import STEPS, StepRefusedError, review_due


def test_who_thinks_it_over_is_waited_for_and_both_words_stand(service: Service) -> None:
    _, _, match = proposal_of(service)
    coordinator = service.users["north", Role.COORDINATOR]
    for step, party in (("ask_volunteer", Party.AUTHORITY), ("volunteer_accepts", Party.VOLUNTEER),
                        ("child_would_meet", Party.CHILD), ("meeting_held", Party.AUTHORITY)):  # fmt: skip
        with service.database.write(service.north) as session:
            take_step(Repository(session, service.keys), match, step, by=party, user_id=coordinator)
    browser = service.as_(Role.COORDINATOR)
    page = browser.get(f"/proposals/{match}", headers=HTML).text
    assert "on the word of the child and the social worker</p>" in page
    assert page.count("on the word of") == 2  # and of the volunteer: what the service itself did is on nobody's word
    for page in ("/", "/proposals"):
        told = browser.get(page, headers=HTML).text
        assert "The child thinks it over until" in told
        assert "The child says yes" not in told


def test_data_that_changes_is_told_at_once(service: Service) -> None:
    """What pages keep in memory goes by the version of the data."""
    browser = service.as_(Role.COORDINATOR)
    assert "Nothing is under proposal" in browser.get("/proposals").text
    _, _, match = proposal_of(service)
    assert match in browser.get("/proposals").text


def test_a_check_that_lapsed_is_told_on_the_page_and_refuses_the_step_and_the_note_is_kept(service: Service) -> None:
    _, volunteer, match = proposal_of(service)
    browser = service.as_(Role.COORDINATOR)
    assert "Something has changed" not in browser.get(f"/proposals/{match}").text
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        row = rows.volunteer(volunteer)
        rows.write_volunteer(row, replace(rows.volunteer_record(row), dbs_checked_on=date(2001, 1, 1)))
    assert "Something has changed" in browser.get(f"/proposals/{match}").text
    with service.database.read(service.north) as session:
        version = Repository(session, service.keys).match(match).version
    form = {"version": str(version), "note": "Rang on Monday."}
    answer = browser.post(f"/proposals/{match}/steps/ask_volunteer", data=form, headers=HTML)
    assert answer.status_code == 409
    assert "DBS check has lapsed" in answer.text
    assert "Rang on Monday." in answer.text
    form["reason"] = "no reason given"
    browser.post(f"/proposals/{match}/steps/child_declines", data=form, headers=HTML)
    assert "Declined" in browser.get(f"/proposals/{match}").text  # a no is heard all the same


def test_an_imported_match_tells_what_no_longer_holds_of_its_volunteer(service: Service) -> None:
    """Its child has no referral in Kith: the volunteer alone can be judged."""
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        match = session.scalars(select(Match).where(Match.state == "active")).first()
        assert match is not None
        row, id = rows.volunteer(match.volunteer_id), match.id
        rows.write_volunteer(row, replace(rows.volunteer_record(row), dbs_checked_on=date(2001, 1, 1)))
    page = service.as_(Role.COORDINATOR).get(f"/proposals/{id}").text
    assert "A core rule no longer holds" in page
    assert "DBS check has lapsed" in page


def test_an_imported_match_has_a_review_planned_and_today_tells_that_it_is_overdue(service: Service) -> None:
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        match = session.scalars(select(Match).where(Match.state == "active").order_by(Match.id)).first()
        assert match is not None
        assert match.next_review_on == review_due(match.started_on, today())
        match.next_review_on = overdue = today() - timedelta(days=40)
        other = session.scalars(select(Match).where(Match.state == "active", Match.id != match.id)).first()
        if other is not None:
            other.next_review_on = today() + timedelta(days=3)
        id, child = match.id, rows.references()[match.child_id]
    browser = service.as_(Role.COORDINATOR)
    told = browser.get("/").text.partition("or overdue</h2>")[2].partition("</section>")[0]
    first = told.partition("</li>")[0]
    assert f'href="/proposals/{id}">{child} and ' in first
    assert f"overdue since {overdue.day} {overdue:%b %Y}" in first
    assert told.count("overdue") == 1
    page = browser.get("/proposals?show=matches").text
    assert page.index(f"/proposals/{id}") < page.index("overdue since") < page.index("</tr>", page.index("<tbody"))
    assert "A review is overdue, as far as Kith knows." in browser.get(f"/proposals/{id}").text
    row_version = re.search(r'name="version" value="(\d+)"', browser.get(f"/proposals/{id}").text)
    assert row_version is not None
    begun = browser.post(f"/proposals/{id}/steps/review_falls_due", data={"version": row_version[1]}, headers=HTML).text
    assert "A review was begun" in begun.partition("What happened")[2]
    assert "record when the review was held" in begun
    row_version = re.search(r'name="version" value="(\d+)"', browser.get(f"/proposals/{id}/steps/review_held").text)
    assert row_version is not None
    view = {"reason": ASKED_BY[0], "note": "It is fun.", "day": f"{today():%d/%m/%Y}"}
    browser.post(f"/proposals/{id}/steps/review_held", data={"version": row_version[1], **view}, headers=HTML)
    assert "overdue since" not in browser.get("/").text


def test_the_volunteer_is_told_of_the_child_in_whole_sentences() -> None:
    child = Child(
        "C1", interests=("chess", "lgbt community"), date_of_birth=date(2012, 5, 4), gender=Gender.OTHER,
        languages=("en",), hoped_visits=Rhythm.WEEKLY, free_times=(Time.EVENING,), fears_animals=True,
        additional_needs=(Need.AUTISM,), religion="christian", placement=find_place("NN1"),
    )  # fmt: skip
    told = profiles.told(profiles.OF_CHILD, child, frozenset(part.id for part in profiles.OF_CHILD), date(2026, 11, 1))
    assert len(told) == len(profiles.OF_CHILD)
    assert all(re.match(r"(They|Their \w+:?) \w.*\.$|They like: .*\.$", one) for one in told), told


def test_what_is_not_shared_is_not_shown(service: Service) -> None:
    """The volunteer's page has what was ticked: not the area of the child, unless it is."""
    _, _, match = proposal_of(service)
    browser = service.as_(Role.COORDINATOR)
    assert "They live in" not in browser.get(f"/proposals/{match}/for-volunteer").text
    shared(browser, match, child=["area", "no-such-part"])
    page = browser.get(f"/proposals/{match}/for-volunteer").text
    assert "They live in" in page
    assert "years old" not in page
    shown = browser.get(f"/proposals/{match}/for-child").text
    assert "They " not in shown.partition("About them")[2]
    shared(browser, match)
    story = browser.get(f"/proposals/{match}").text.partition("What happened")[2]
    assert re.findall("<p>(Of the volunteer: .*?)</p>", story) == [
        "Of the volunteer: nothing. Of the child: nothing.",
        "Of the volunteer: nothing. Of the child: Postcode district.",
    ]
    assert shown.count('class="kith-choice"') == 3  # no answer stands out as the wrong one


def test_what_somebody_unticked_is_not_shared_again_by_a_form_that_was_opened_before(service: Service) -> None:
    _, _, match = proposal_of(service)
    address, told = f"/proposals/{match}/share", f"/proposals/{match}/for-volunteer"
    coordinator, manager = service.as_(Role.COORDINATOR), service.as_(Role.MANAGER)
    old = ticks(page := manager.get(address).text, "child", "volunteer")
    shown = re.findall(r'name="shown" value="([^"]*)"', page)
    assert "interests" in old["child"]
    assert "years old" in coordinator.get(told).text
    assert shared(coordinator, match, child=["gender"], volunteer=old["volunteer"]).status_code == 200

    old["child"].append("area")
    refused = manager.post(address, data={"shown": shown, **old}, headers=HTML)
    assert refused.status_code == 409
    assert "Not saved: somebody changed it meanwhile" in refused.text
    assert ticks(refused.text, "child", "volunteer") == old  # as it was ticked
    differs = [one for one in refused.text.split("govuk-checkboxes__item") if "shared now.</b>" in one]
    assert len(differs) == len({*old["child"]} - {"gender"})
    assert all('name="child"' in one and " checked" in one and "Not shared now." in one for one in differs)
    assert {"interests", "area"} < {re.findall(r'value="(\w+)"', one)[0] for one in differs}
    page = coordinator.get(told).text
    assert "years old" not in page
    assert "They live in" not in page

    again = re.findall(r'name="shown" value="([^"]*)"', refused.text)
    assert manager.post(address, data={"shown": again, **old}, headers=HTML).status_code == 200
    assert "They live in" in coordinator.get(told).text
    # Sent twice is no change by somebody else.
    assert manager.post(address, data={"shown": again, **old}, headers=HTML).status_code == 200


def test_what_is_about_to_be_told_stands_beside_the_step_and_whether_anybody_has_chosen_it(service: Service) -> None:
    _, _, match = proposal_of(service)
    browser, own = service.as_(Role.COORDINATOR), f"/proposals/{match}"

    def shown() -> tuple[str, bool]:
        page = browser.get(own).text
        section = re.search(r'<div class="govuk-inset-text" id="shown">(.*?)</div>', page, re.S)
        told = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", section[1])) if section else ""
        return told, "Nobody has chosen this yet." in told

    told, unchosen = shown()
    assert "years old." in told
    assert "They hope for a visit" in told or "They talk in" in told
    assert unchosen
    assert browser.get(f"/api/v1/matches/{match}").json()["shares"]["chosen"] is False
    shared(browser, match, child=["gender"], volunteer=["languages"])
    told, unchosen = shown()
    assert "years old." not in told
    assert not unchosen
    assert browser.get(f"/api/v1/matches/{match}").json()["shares"] == {
        "child": ["gender"], "volunteer": ["languages"], "chosen": True
    }  # fmt: skip
    for step, by in (("ask_volunteer", Party.AUTHORITY), ("volunteer_accepts", Party.VOLUNTEER)):
        with service.database.write(service.north) as session:
            user = service.users["north", Role.COORDINATOR]
            take_step(Repository(session, service.keys), match, step, by=by, user_id=user)
        assert "They speak" in shown()[0]  # the child is about to see the volunteer's


def test_nothing_more_is_shared_of_what_is_over(service: Service) -> None:
    _, _, match = proposal_of(service)
    browser = service.as_(Role.COORDINATOR)
    page = browser.get(f"/proposals/{match}/share").text
    assert "Save what is shared" in page
    with service.database.write(service.north) as session:
        user = service.users["north", Role.COORDINATOR]
        rows = Repository(session, service.keys)
        take_step(rows, match, "withdraw", by=Party.AUTHORITY, user_id=user, reason="entered by mistake")
    shown = re.findall(r'name="shown" value="([^"]*)"', page)
    refused = browser.post(f"/proposals/{match}/share", data={"shown": shown, "child": "area"}, headers=HTML)
    assert refused.status_code == 409
    assert "It is over, so there is nothing to share any more." in refused.text
    assert "Save what is shared" not in browser.get(f"/proposals/{match}/share").text
    with service.database.read(service.north) as session:
        assert session.get_one(Proposal, match).shared == {}


def test_whom_somebody_loves_is_told_by_a_tick_of_its_own_and_the_log_does_not_say_it(service: Service) -> None:
    child, volunteer, match = proposal_of(service)
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        likes = ("cooking", "lgbt community")
        one, other = rows.child(child), rows.volunteer(volunteer)
        rows.write_child(one, replace(rows.child_record(one, family_known=False), interests=likes))
        rows.write_volunteer(other, replace(rows.volunteer_record(other), interests=likes))
    browser = service.as_(Role.COORDINATOR)
    pages = [f"/proposals/{match}/for-volunteer", f"/proposals/{match}/for-child"]
    assert browser.get(f"/proposals/{match}/share").text.count("LGBTQ+ community.") == 2  # beside either tick
    for page in pages:
        assert "LGBT" not in browser.get(page).text
    everything = {side: ["interests", "religion", "needs", "care"] for side in ("child", "volunteer")}
    shared(browser, match, **everything)
    for page in pages:
        assert "LGBT" not in browser.get(page).text
        assert "Cooking" in browser.get(page).text
    shared(browser, match, child=["interests", "private"])
    assert "They like: LGBTQ+ community." in browser.get(pages[0]).text
    assert "LGBT" not in browser.get(pages[1]).text
    shared(browser, match, volunteer=["private"])
    assert "LGBT" not in browser.get(pages[0]).text
    assert "They like: LGBTQ+ community." in browser.get(pages[1]).text
    with service.database.read(service.north) as session:
        entries = session.scalars(select(AuditEvent).where(AuditEvent.action == "share")).all()
        kept = [session.get_one(Proposal, match).shared, *(one.details for one in entries)]
    assert len(kept) == 4
    assert "lgbt" not in str(kept).casefold()


def test_a_step_is_recorded_later_than_it_happened_but_not_before_it_does(service: Service) -> None:
    _, _, match = proposal_of(service)
    browser = service.as_(Role.COORDINATOR)
    with service.database.write(service.north) as session:
        row = Repository(session, service.keys).match(match)
        proposed = session.scalars(select(Decision).where(Decision.match_id == match)).one()
        row.since = proposed.at = utc_now() - timedelta(days=20)
        version = str(row.version + 1)
    when = today() - timedelta(days=10)
    address = f"/proposals/{match}/steps/ask_volunteer"
    for day, clock, told in (
        (f"{today() + timedelta(days=2):%d/%m/%Y}", "", "That is yet to come"),
        ("last week", "", "There is no day “last week”. Write when it was as a day"),
        (f"{today() - timedelta(days=40):%d/%m/%Y}", "", "before this proposal began, on"),
    ):
        answer = browser.post(
            address, data={"version": version, "day": day, "clock": clock, "note": "Rang."}, headers=HTML
        )
        assert answer.status_code == 409
        assert told in answer.text
        assert "Rang." in answer.text
    page = browser.post(address, data={"version": version, "day": f"{when:%d/%m/%Y}", "clock": "14:30"}, headers=HTML)
    assert f"{when.day} {when:%B %Y} at 2:30pm" in page.text
    assert "The volunteer was asked" in page.text
    # The next one was on the same day, at a time that nobody remembers, and the one after it today.
    said = browser.get(f"/proposals/{match}", headers=HTML).text
    assert "The day on which" not in said
    asked, noon = (datetime.combine(on, at, LONDON) for on, at in ((when, time(14, 30)), (today(), time(12))))
    for step, day, known in (
        ("volunteer_accepts", when, asked),
        ("child_would_meet", today(), noon),
        ("meeting_held", today(), datetime.max.replace(tzinfo=LONDON)),
    ):
        version = str(int(version) + 1)
        before = {"version": version, "day": f"{when - timedelta(days=1):%d/%m/%Y}", "clock": "9:15"}
        page = browser.post(f"/proposals/{match}/steps/{step}", data=before, headers=HTML)
        assert "the step that came before it, which was on " in page.text
        assert 'value="9:15"' in page.text
        sent = {"version": version, "day": f"{day:%d/%m/%Y}", "clock": ""}
        earliest = min(known, utc_now())
        page = browser.post(f"/proposals/{match}/steps/{step}", data=sent, headers=HTML)
        assert page.status_code == 200, step
        with service.database.read(service.north) as session:
            at = session.scalars(select(Decision.at).where(Decision.match_id == match, Decision.step == step)).one()
            assert Repository(session, service.keys).match(match).since == at
        assert earliest <= at <= min(known, utc_now()), step
        assert moment(at) in page.text, step
        assert ("The day on which the meeting was held" in page.text) is (step == "child_would_meet")


def test_a_child_has_a_whole_day_to_think_it_over_where_only_the_day_of_the_meeting_is_known(service: Service) -> None:
    _, _, match = proposal_of(service)
    browser = service.as_(Role.COORDINATOR)
    with service.database.write(service.north) as session:
        row = Repository(session, service.keys).match(match)
        proposed = session.scalars(select(Decision).where(Decision.match_id == match)).one()
        row.state, row.since = "meeting", utc_now() - timedelta(days=5)
        proposed.at = row.since
        version = str(row.version + 1)
    page = browser.get(f"/proposals/{match}", headers=HTML).text
    assert "With the day alone, the child’s time to think it over counts from the end of it." in page
    met = today() - timedelta(days=1)
    sent = {"version": version, "day": f"{met:%d/%m/%Y}", "clock": ""}
    assert browser.post(f"/proposals/{match}/steps/meeting_held", data=sent, headers=HTML).status_code == 200
    with service.database.read(service.north) as session:
        held = Repository(session, service.keys).match(match)
        assert (held.state, held.since) == ("child thinks it over", datetime.combine(met, time(23, 59), LONDON))


@pytest.mark.parametrize(
    ("day", "clock", "at"),
    [(10, "", time(23, 59)), (10, "16:00", time(16)), (20, "", time(23, 59)), (20, "9:15", time(9, 15))],
)
def test_what_begins_a_wait_was_at_the_latest_of_what_is_told(day: int, clock: str, at: time) -> None:
    on = today() - timedelta(days=day)
    since = datetime.combine(today() - timedelta(days=20), time(8), LONDON)
    told = happened(f"{on:%d/%m/%Y}", clock, since, at_the_latest=True)
    assert told == datetime.combine(on, at, LONDON)


def test_what_was_today_was_not_later_than_now() -> None:
    before = utc_now()
    told = happened(f"{today():%d/%m/%Y}", "", before - timedelta(days=2), at_the_latest=True)
    assert told is not None
    assert told <= utc_now()
    assert [step.id for step in STEPS if step.begins_a_wait] == ["meeting_held"]


def test_whose_word_it_is_that_the_first_visit_was_made_is_chosen(service: Service) -> None:
    """It was written down as the volunteer's, whoever had told of it."""
    _, _, match = proposal_of(service)
    with service.database.write(service.north) as session:
        Repository(session, service.keys).match(match).state = "appointed"
    browser = service.as_(Role.COORDINATOR)
    form = fields_of(browser.get(f"/proposals/{match}").text)
    assert "said_by" not in form
    assert form["day"] == f"{today():%d/%m/%Y}"  # to be seen, and corrected
    address = f"/proposals/{match}/steps/first_visit"
    for word in ({}, {"said_by": "planned"}):
        answer = browser.post(address, data={**form, "note": "They went to the park.", **word}, headers=HTML)
        assert answer.status_code == 409
        assert "Choose whose word it is." in answer.text
        assert "They went to the park." in answer.text
    story = browser.post(address, data={**form, "said_by": "child"}, headers=HTML).text.partition("What happened")[2]
    assert "The first visit was made</h3>" in story
    assert "on the word of the child</p>" in story


def taken(service: Service, match: str, *given: tuple[str, str | None]) -> tuple[date | None, date | None]:
    """When the visits of a match began, and when the next review is, after these steps on the authority's word."""
    user = service.users["north", Role.COORDINATOR]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        row = rows.match(match)
        for step, reason in given:
            steps.take(rows, row, step, by=Party.AUTHORITY, user_id=user, reason=reason, note="The visits are fine.")
        return row.started_on, row.next_review_on


PAUSED_A_WHILE = (("pause", "circumstances"), ("resume", None))


@pytest.mark.parametrize("planned", [None, timedelta(days=7)])
def test_a_first_review_comes_six_weeks_after_visits_begin_also_where_they_were_paused_first(
    service: Service, planned: timedelta | None
) -> None:
    match = service.a_match()
    with service.database.write(service.north) as session:
        row = Repository(session, service.keys).match(match)
        row.state, row.started_on = "agreed", planned and today() + planned  # as a file may have said
    begun = today(), today() + timedelta(weeks=6)
    assert taken(service, match, ("appoint", None), *PAUSED_A_WHILE) == begun
    held = ("review_falls_due", None), ("review_held", ASKED_BY[0])
    assert taken(service, match, *held) == (today(), today() + timedelta(days=182))


@pytest.mark.parametrize("given", [(("review_falls_due", None), ("review_held", ASKED_BY[0])), PAUSED_A_WHILE])
def test_visits_of_old_whose_beginning_nobody_knows_do_not_begin_by_a_later_step(
    service: Service, given: tuple[tuple[str, str | None], ...]
) -> None:
    match = service.a_match()
    with service.database.write(service.north) as session:
        Repository(session, service.keys).match(match).started_on = None
    browser, then = service.as_(Role.ANALYST), f"/reports/matches?year={Year.of(today()).first}"
    before = browser.get(then).text
    assert "no beginning on record" in before
    began, due = taken(service, match, *given)
    assert began is None
    assert (due == today() + timedelta(days=182)) is (given is not PAUSED_A_WHILE)  # a pause puts no review off
    assert months(browser.get(then).text) == months(before)


def months(page: str) -> str:
    """The report of matches month by month, without how proposals went."""
    return page[page.index("<h1") : page.index("How proposals went")]


@pytest.mark.parametrize(("link", "id"), [("End the match", "end"), ("Pause the visits", "pause")])
def test_whoever_ends_a_match_or_pauses_its_visits_is_offered_their_own_reasons(site: Site, link: str, id: str) -> None:
    """Also without script; what was chosen under another who might have spoken does not count."""
    page = site.page(script=False)
    page.goto(f"{site.at}/proposals?show=matches")
    page.locator("main table a").first.click()
    page.get_by_role("link", name=link).click()
    step = next(step for step in STEPS if step.id == id)

    def shown() -> set[str | None]:
        return {one.get_attribute("value") for one in page.locator("input[name^=reason]").all() if one.is_visible()}

    assert shown() == set()
    for party in step.by:
        page.check(f"input[name=said_by][value='{party}']")
        assert shown() == {*step.reasons_of(party)}
    page.check(f"input[name='reason-{step.by[-1]}'][value='{step.reasons_of(step.by[-1])[-1]}']")
    page.check("input[name=said_by][value=volunteer]")
    page.get_by_role("button", name="Record").click()
    assert "Choose a reason." in page.inner_text(".govuk-error-summary")
    assert page.locator("input[name=said_by][value=volunteer]").is_checked()


@pytest.mark.parametrize(
    ("typed", "at"),
    [("4pm", (16, 0)), ("4:30 PM", (16, 30)), ("12.15am", (0, 15)), ("12pm", (12, 0)), ("9:15", (9, 15)),
     ("14.30", (14, 30))],
)  # fmt: skip
def test_a_time_is_read_as_people_and_pages_write_it(typed: str, at: tuple[int, int]) -> None:
    on = today() - timedelta(days=2)
    then = happened(f"{on:%d/%m/%Y}", typed, utc_now() - timedelta(days=9))
    assert then == datetime.combine(on, time(*at), LONDON)


@pytest.mark.parametrize(
    ("day", "clock", "told"),
    [
        ("31/02/2026", "", "There is no day “31/02/2026”"), ("25.11.2026 4pm", "", "the time has a box of its own"),
        ("", "25.99", "There is no time “25.99”"), ("", "13pm", "There is no time “13pm”"), ("", "16", "no time “16”"),
    ],
)  # fmt: skip
def test_what_was_wrong_with_a_day_or_a_time_is_said_of_that_box(day: str, clock: str, told: str) -> None:
    with pytest.raises(StepRefusedError, match=re.escape(told)):
        happened(day, clock, utc_now())

"""The pages' routes with every role, forged forms, and refusals in plain words."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from conftest import Service
from sqlalchemy import select

from matcher.explain import Points
from matcher.instance import today
from matcher.records import Child, ExceptionKind, Party, Volunteer
from service import exceptions, organisations, steps
from service.audit_log import Entry, record, verify
from service.database.base import utc_now
from service.database.tables import Decision, ImportBatch, Match
from service.importing.uploads import hold, receive
from service.middleware import RateLimit
from service.pages import html, profiles
from service.pages.html import waited
from service.pages.shortlists import bars
from service.pages.sign_in import own_path
from service.permissions import MAY, PUBLIC, ROUTES, Permission, Role
from service.proposals import Chosen, propose, take_step
from service.repository import Repository
from service.runs import ask_for
from service.workflow import review_due

PAGES = {
    line: needs
    for line, needs in ROUTES.items()
    if not line.split()[1].startswith(("/api/", "/health", "/ready", "/metrics"))
}
HTML = {"Accept": "text/html"}
NOBODYS = ("{number}", "/templates/", "{report}", "{code}", "/welcome/")
"""Parts of paths that stand for the like in every authority: the first version of the policy, a report, a council."""


def proposal_of(service: Service) -> tuple[str, str, str]:
    child, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        chosen = Chosen("fit", 1, (volunteer,))
        user = service.users["north", Role.COORDINATOR]
        rows = Repository(session, service.keys)
        match = propose(rows, child, volunteer, user_id=user, reason="other", chosen=chosen)
        return child, volunteer, match.id


def test_every_page_with_every_role(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """403 without the permission, 404 for another authority's ids, and otherwise what the page says; a form that
    carries nothing is refused in words (422), leads on (303), or finds the step not possible (409)."""
    monkeypatch.setattr(RateLimit, "_allowed", lambda *_: True)
    child, volunteer, match = proposal_of(service)
    with service.database.write(service.north) as session:
        run = ask_for(session, service.north, "match ended").id
        batch = session.scalars(select(ImportBatch.id)).first()
        rows, user = Repository(session, service.keys), service.users["north", Role.MANAGER]
        take_step(rows, match, "ask_volunteer", by=Party.AUTHORITY, user_id=user)  # there is one to take back
        provider = organisations.add(rows, "Bluebell Homes", user_id=user).id
        allowed = exceptions.approve(
            rows, ExceptionKind.SECOND_CHILD, volunteer, None, 2, user_id=user, reason="for a test"
        ).id
    wrong = []
    for where in ("north", "south"):
        for role in Role:
            browser = service.as_(role, where)
            with service.database.write(service.north) as session:
                rows = Repository(session, service.keys)
                files = {"children.csv": b"child_id\nC9001\n"}
                upload = hold(rows, receive(rows, files), user_id=service.users["north", Role.COORDINATOR]).id
            for line, needs in sorted(PAGES.items(), key=lambda one: one[0] == "POST /sign-out"):
                method, path = line.split()
                asked = path.format(child_id=child, volunteer_id=volunteer, match_id=match, step_id="child_declines",
                                    reader="child", letter="appointment", run_id=run, number=1, part="about",
                                    upload_id=upload, import_id=batch, sheet="children", report="waits",
                                    code="E06000062", user_id=service.users["north", Role.ANALYST],
                                    exception_id=allowed, organisation_id=provider, secret="no-such-link")  # fmt: skip
                form = {"csrf": browser.headers["X-CSRF-Token"]} if method == "POST" else None
                answer = browser.request(method, asked, data=form, headers=HTML, follow_redirects=False)
                if needs is not PUBLIC and needs not in MAY[role]:
                    expected = {403}
                elif where == "south" and asked != path and not any(one in path for one in NOBODYS):
                    expected = {404}
                elif line == "POST /sign-in":
                    expected = {401}
                elif "/welcome/" in asked:
                    expected = {410}  # an invitation that never was
                elif "/letters/" in asked:
                    expected = {409}  # nobody is appointed yet
                elif line in ("GET /import", "GET /reports/budgets"):
                    expected = {303}  # which lead elsewhere
                elif line == "GET /":
                    expected = {200 if Permission.IDENTIFY in MAY[role] else 303}
                elif method == "GET":
                    expected = {200}
                else:
                    expected = {200, 303, 409, 422}
                if answer.status_code not in expected:
                    wrong.append((where, role, line, answer.status_code))
    assert wrong == []


def test_who_is_not_signed_in_is_led_to_the_login_and_back(service: Service) -> None:
    child, _ = service.eligible_pair()
    answer = service.client.get(f"/children/{child}", headers=HTML, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next=/children/{child}")
    for line, needs in PAGES.items():
        if needs is not PUBLIC and line.startswith("GET") and "{" not in line:
            assert service.client.get(line.split()[1], headers=HTML, follow_redirects=False).status_code == 303, line


@pytest.mark.parametrize("role", Role)
def test_who_may_not_see_the_first_page_is_sent_to_what_they_may(service: Service, role: Role) -> None:
    first = {Role.ANALYST: "/runs", Role.AUDITOR: "/log", Role.ADMINISTRATOR: "/users"}.get(role, "/")
    answer = service.as_(role).get("/", headers=HTML, follow_redirects=True)
    assert (answer.status_code, answer.url.path) == (200, first)


def test_the_document_of_accessibility_names_every_page() -> None:
    """Files to take along and addresses that lead on are no pages."""
    told = Path(__file__).parents[2] / "docs" / "accessibility.md"
    named = re.findall(r"`(/[^`]*)`", told.read_text(encoding="utf-8").partition("## The pages")[2].partition("##")[0])
    no_pages = ("xlsx", "/templates/{sheet}", "/corrections/{sheet}", "/import", "/reports/budgets")
    pages = [line.split()[1] for line in PAGES if line.startswith("GET ") and not line.endswith(no_pages)]
    assert sorted(named) == sorted(pages)


def test_a_form_without_its_token_changes_nothing(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    browser = service.as_(Role.COORDINATOR)
    del browser.headers["X-CSRF-Token"]
    for token in ({}, {"csrf": "forged"}):
        form = {"reason": "other", "rank": "fit", **token}
        answer = browser.post(f"/children/{child}/propose/{volunteer}", data=form, headers=HTML)
        assert answer.status_code == 403
        assert "You cannot do this" in answer.text
    page = browser.get("/proposals").text
    assert "Nothing is under proposal" in page


@pytest.mark.parametrize("asked", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere", "", "/sign-out"])
def test_the_login_leads_nowhere_else(asked: str) -> None:
    assert own_path(asked) == "/"


def test_the_login_leads_back() -> None:
    assert own_path("/children/C222222222BB") == "/children/C222222222BB"


@pytest.mark.parametrize(("days", "told"), [(0, "today"), (1, "one day"), (20, "20 days"), (91, "13 weeks")])
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


def test_a_refusal_is_a_page_for_a_person_and_json_for_a_program(service: Service) -> None:
    browser = service.as_(Role.COORDINATOR)
    page = browser.get("/children/C222222222BB", headers=HTML)
    assert page.status_code == 404
    assert "There is no such page" in page.text
    assert "Sign out" in page.text  # in the frame, with the way on
    assert "script-src 'nonce-" in page.headers["content-security-policy"]
    assert browser.get("/children/C222222222BB").headers["content-type"] == "application/problem+json"
    for mistyped in ("/children/C99", "/proposals/nothing", "/children?page=none"):  # where there was no form
        page = browser.get(mistyped, headers=HTML)
        assert (page.status_code, "There is no such page" in page.text) == (404, True)


@pytest.mark.parametrize("what", ["children", "volunteers"])
def test_a_reference_that_is_not_found_brings_no_table_of_others(service: Service, what: str) -> None:
    page = service.as_(Role.COORDINATOR).post(f"/{what}/find", data={"reference": "C9999"}, headers=HTML).text
    assert "“C9999”" in page
    assert "<table" not in page
    assert f'href="/{what}?show=everybody">All {what}</a>' in page


def test_every_script_of_a_page_bears_the_nonce_of_its_answer(service: Service) -> None:
    answer = service.as_(Role.COORDINATOR).get("/children", headers=HTML)
    nonce = answer.headers["content-security-policy"].partition("'nonce-")[2].partition("'")[0]
    assert answer.text.count("<script") == answer.text.count(f'nonce="{nonce}"') == 2
    assert 'style="' not in answer.text
    assert len(answer.content) < 150_000


def test_style_and_script_are_compressed_and_pages_are_not(service: Service) -> None:
    """Compressed, the length of a page that repeats what was asked would tell what else stands in it."""
    browser = service.as_(Role.COORDINATOR)
    asks = {"Accept-Encoding": "gzip", **HTML}
    page = browser.get("/children", headers=asks)
    assert "content-encoding" not in page.headers
    names = {*re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text), "/static/govuk-frontend/govuk-frontend.min.js"}
    sent = len(page.content)
    for name in names:
        with browser.stream("GET", name, headers=asks) as answer:
            size = sum(len(chunk) for chunk in answer.iter_raw())
            assert answer.headers.get("content-encoding") == "gzip" or size < 1000, name
            sent += size
    assert len(names) >= 4
    assert sent < 150_000


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
    row_version = re.search(r'name="version" value="(\d+)"', browser.get(f"/proposals/{id}").text)
    assert row_version is not None
    browser.post(f"/proposals/{id}/steps/review_held", data={"version": row_version[1]}, headers=HTML)
    assert "overdue since" not in browser.get("/").text


def test_what_is_shown_to_people_keeps_proper_names_and_tells_no_absence() -> None:
    person = Volunteer("V1", interests=("fortnite", "islam"), religion="no religion")
    shown = frozenset({"interests", "religion"})
    told = profiles.told(profiles.OF_VOLUNTEER, person, shown, today())
    assert told == ["They like Fortnite and Mosque and Muslim life."]
    told = profiles.told(profiles.OF_VOLUNTEER, replace(person, religion="hindu"), shown, today())
    assert told[1:] == ["Their religion: Hindu."]


def test_what_is_not_shared_is_not_shown(service: Service) -> None:
    """The volunteer's page has what was ticked: not the area of the child, unless it is."""
    _, _, match = proposal_of(service)
    browser = service.as_(Role.COORDINATOR)
    assert "Lives in" not in browser.get(f"/proposals/{match}/for-volunteer").text
    browser.post(f"/proposals/{match}/share", data={"child": ["area", "no-such-part"]}, headers=HTML)
    page = browser.get(f"/proposals/{match}/for-volunteer").text
    assert "Lives in" in page
    assert "years old" not in page
    shown = browser.get(f"/proposals/{match}/for-child").text
    assert "They " not in shown.partition("About them")[2]
    browser.post(f"/proposals/{match}/share", data={}, headers=HTML)
    story = browser.get(f"/proposals/{match}").text.partition("What happened")[2]
    assert re.findall("<p>(Of the volunteer: .*?)</p>", story) == [
        "Of the volunteer: nothing. Of the child: nothing.",
        "Of the volunteer: nothing. Of the child: Postcode district.",
    ]
    assert len(re.findall("<div><b>", shown.partition("You choose")[2])) == 3  # no answer stands out as the wrong one


def test_the_log_tells_who_read_a_child_and_which_lists_had_them(service: Service) -> None:
    child, _ = service.eligible_pair()
    coordinator, auditor = service.as_(Role.COORDINATOR), service.as_(Role.AUDITOR)
    coordinator.get(f"/children/{child}")
    coordinator.get("/children?show=everybody")  # the first page of it
    rows = auditor.get(f"/log?subject={child}&days=0").text
    assert rows.count("Opened the record") == 1
    listed = auditor.get("/log?kind=read&days=1").text
    assert "children: 25 records" in listed
    assert auditor.get("/log?kind=decision").text.count("<tr") == 0
    assert "Opened the record" not in service.as_(Role.AUDITOR, "south").get(f"/log?subject={child}&days=0").text


def test_an_auditor_finds_what_was_decided_of_a_child_and_of_a_volunteer_by_their_reference(service: Service) -> None:
    """Decisions stand under the match, which nobody knows by its id."""
    user, active = service.users["north", Role.COORDINATOR], service.a_match()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        match, known = rows.match(active), rows.references()
        child, volunteer = known[match.child_id], known[match.volunteer_id]
        other = next(reference for id, reference in known.items() if id[0] == "C" and id != match.child_id)
        take_step(rows, active, "pause", by=Party.AUTHORITY, user_id=user, reason="circumstances")
    auditor = service.as_(Role.AUDITOR)
    for reference, found in ((child, True), (volunteer, True), (other, False)):
        page = auditor.post("/log/find", data={"reference": reference}).text
        assert ("Decision: the visits were paused" in page) is found
        assert (active in page) is found


def test_the_log_says_which_list_was_opened_and_of_an_entry_of_before_that_one_was(service: Service) -> None:
    _, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        record(session, service.keys, Entry(service.users["north", Role.COORDINATOR], "read", "", "list"))
    for path in ("/", "/children", "/proposals", f"/volunteers/{volunteer}/shortlist"):
        assert service.as_(Role.COORDINATOR).get(path).status_code == 200
    told = re.findall(r'data-label="What"[^>]*>([^<]*)<', service.as_(Role.AUDITOR).get("/log?kind=read").text)
    assert told == [
        "Opened whom a volunteer could visit", "Opened the list of proposals and matches",
        "Opened the list of children", "Opened the page Today", "Opened a list",
    ]  # fmt: skip
    with service.database.read(service.north) as session:
        assert verify(session, service.keys).problem is None


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
        ("last week", "", "Write when it was as a day"),
        (f"{today() - timedelta(days=40):%d/%m/%Y}", "", "before this proposal or match began, on"),
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
    assert "When it took place" not in said
    for step, day, told in (
        ("volunteer_accepts", when, f"{when.day} {when:%B %Y} at 2:30pm"),
        ("child_would_meet", today(), f"{today().day} {today():%B %Y} at"),
        ("meeting_held", today(), f"{today().day} {today():%B %Y} at"),
    ):
        version = str(int(version) + 1)
        before = {"version": version, "day": f"{when - timedelta(days=1):%d/%m/%Y}", "clock": "9:15"}
        page = browser.post(f"/proposals/{match}/steps/{step}", data=before, headers=HTML)
        assert "the step that came before it, which was on " in page.text
        assert 'value="9:15"' in page.text
        sent = {"version": version, "day": f"{day:%d/%m/%Y}", "clock": ""}
        page = browser.post(f"/proposals/{match}/steps/{step}", data=sent, headers=HTML)
        assert page.status_code == 200, step
        assert page.text.count(told) >= 2 - (step == "child_would_meet"), step
        assert ("When it took place" in page.text) is (step == "child_would_meet")


def test_a_first_review_comes_six_weeks_after_visits_begin_also_where_they_were_paused_first(service: Service) -> None:
    match = service.a_match()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        row = rows.match(match)
        row.state, row.started_on = "appointed", None
        for step, reason in (("pause", "circumstances"), ("resume", None)):
            steps.take(
                rows, row, step, by=Party.AUTHORITY, user_id=service.users["north", Role.COORDINATOR], reason=reason
            )
        assert (row.started_on, row.next_review_on) == (today(), today() + timedelta(weeks=6))

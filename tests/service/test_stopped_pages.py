"""What pages say where somebody is not to visit, or not to be proposed: nothing invites to go on as if nothing was."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from conftest import Service
from test_proposals import ASKED_AGAIN, WAY, Desk

from matcher.instance import today
from matcher.records import Party, Status
from matcher.words import day
from service import standing
from service.database.base import utc_now
from service.permissions import Role
from service.reasons import OBJECTS, UNSAFE
from service.reports.figures import Year
from service.workflow import StepRefusedError


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def page(desk: Desk, path: str) -> str:
    """Its words."""
    answer = desk.service.as_(Role.COORDINATOR).get(path)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def active(desk: Desk) -> str:
    match = desk.propose()
    for step, by in WAY:
        desk.step(match, step, by)
    return match


def suspend(desk: Desk, reason: str) -> None:
    for rows in desk.rows():
        volunteer = rows.volunteer(desk.volunteer)
        standing.set_status(rows, volunteer, Status.SUSPENDED, user_id=desk.user, reason=reason)


def references(desk: Desk) -> tuple[str, str]:
    for rows in desk.rows():
        found = rows.references()
    return found[desk.child], found[desk.volunteer]


def send(desk: Desk, path: str, **given: str) -> str:
    """Where a form leads on to."""
    browser = desk.service.as_(Role.COORDINATOR)
    sent = {**given, "csrf": browser.headers["X-CSRF-Token"]}
    answer = browser.post(path, data=sent, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def test_a_child_who_wants_nobody_now_is_left_alone(desk: Desk) -> None:
    match = desk.propose()
    desk.step(match, "child_declines", Party.CHILD, "does not want a visitor now")
    told = page(desk, f"/children/{desk.child}")
    assert "Not asked again yet" in told
    assert "See who could visit" not in told
    assert "To be asked again, when they are ready" in told
    assert "Go on with the shortlist" not in page(desk, f"/proposals/{match}")


def test_a_child_who_said_no_is_not_shown_who_could_visit(desk: Desk) -> None:
    match = desk.propose()
    desk.step(match, "child_declines", Party.CHILD, OBJECTS)
    told = page(desk, f"/children/{desk.child}")
    assert "Said no" in told
    assert "See who could visit" not in told
    assert "Go on with the shortlist" not in page(desk, f"/proposals/{match}")


def test_the_shortlist_is_offered_where_the_child_still_waits(desk: Desk) -> None:
    match = desk.propose()
    desk.step(match, "child_declines", Party.CHILD, "does not want this visitor")
    assert "Go on with the shortlist" in page(desk, f"/proposals/{match}")
    assert "See who could visit" in page(desk, f"/children/{desk.child}")
    desk.propose(volunteer=desk.candidates()[0])
    assert "Go on with the shortlist" not in page(desk, f"/proposals/{match}")


def visited(told: str) -> int:
    return int(re.search(r"(\d+) matches with visits", told)[1])  # type: ignore[index]


def test_each_match_counts_once_on_the_first_page(desk: Desk) -> None:
    before = visited(page(desk, "/"))
    match = desk.propose()
    for step, by in WAY[:-1]:
        desk.step(match, step, by)
    told = page(desk, "/")
    assert (visited(told), f"{before} matches with visits 1 more to begin" in told) == (before, True)
    months = page(desk, "/reports/matches")
    assert "One match is appointed, and the first visit is yet to come." in months
    desk.step(match, *WAY[-1])
    told = page(desk, "/")
    assert (visited(told), "more to begin" in told) == (before + 1, False)
    assert "yet to come" not in page(desk, "/reports/matches")


def test_who_is_suspended_is_called_so_and_what_was_paused_is_told(desk: Desk) -> None:
    active(desk)
    child, volunteer = references(desk)
    before = visited(page(desk, "/"))
    suspend(desk, "check lapsed")
    told = page(desk, f"/volunteers/{desk.volunteer}?saved=yes")
    assert re.search(rf"Volunteer {volunteer} Suspended", told)
    assert f"Visits paused: with {child} ." in told
    assert "Visits a child" not in told
    assert "Visits paused" in page(desk, f"/children/{desk.child}")
    first = page(desk, "/")
    assert visited(first) == before - 1
    assert re.search(rf"Visits paused: 1 {child} and {volunteer} A check has lapsed; no visits since", first)


def test_a_paused_match_says_what_must_come_first_and_offers_no_button_that_would_be_refused(desk: Desk) -> None:
    match = active(desk)
    suspend(desk, "check lapsed")
    told = page(desk, f"/proposals/{match}")
    assert "This must be in order before the visits can go on" in told
    assert "think about pausing" not in told
    assert "Reason: a check has lapsed" in told
    assert "Resume the visits" not in told
    with pytest.raises(StepRefusedError):
        desk.step(match, "resume", Party.AUTHORITY)
    desk.change_volunteer(status=Status.APPROVED)
    assert "Resume the visits" in page(desk, f"/proposals/{match}")


def test_a_child_who_felt_unsafe_is_asked_before_the_visits_go_on(desk: Desk) -> None:
    """That a manager has lifted the suspension is not the child's word."""
    desk.now -= timedelta(days=60)
    match, browser = active(desk), desk.service.as_(Role.COORDINATOR)
    desk.step(match, "pause", Party.AUTHORITY, UNSAFE)
    for rows in desk.rows():
        row = rows.volunteer(desk.volunteer)
        standing.set_status(
            rows, row, Status.APPROVED, user_id=desk.user, reason="investigation closed", manager=True,
            found="Nothing that stands against them.",
        )  # fmt: skip
    path = f"/proposals/{match}"
    told = page(desk, path)
    assert "the visits go on only if the child would like it" in told
    assert "Resume the visits" not in told
    api = f"/api/v1/matches/{match}"
    seen = browser.get(api)
    tag, possible = {"If-Match": seen.headers["ETag"]}, seen.json()["possible"]
    assert [(one["step"], one["by"]) for one in possible if one["step"] not in ("pause", "end")] == [
        ("child_resumes", ["child"])
    ]
    for body in ({"step": "resume", "by": "authority"}, {"step": "child_resumes", "by": "authority", **ASKED_AGAIN}):
        assert browser.post(f"{api}/steps", json=body, headers=tag).status_code == 409
    assert browser.post(f"{path}/steps/resume", data={"version": tag["If-Match"].strip('"')}).status_code == 409
    assert page(desk, path) == told
    assert "would like the visits to go on" in browser.get(f"{path}/steps/child_resumes").text
    assert send(
        desk, f"{path}/steps/child_resumes", version=tag["If-Match"].strip('"'), day=f"{today():%d/%m/%Y}",
        **ASKED_AGAIN,
    ) == path  # fmt: skip
    told = page(desk, path)
    assert re.search(r"Active .*would like the visits to go on .{0,80}, on the word of the child", told)
    desk.now = utc_now()
    desk.step(match, "pause", Party.AUTHORITY, "circumstances")  # another pause is another matter
    assert "Resume the visits" in page(desk, path)


def test_visits_that_break_a_core_rule_are_to_be_paused(desk: Desk) -> None:
    match = active(desk)
    browser = desk.service.as_(Role.COORDINATOR)
    button = f'href="/proposals/{match}/steps/pause" role="button"'
    assert button not in browser.get(f"/proposals/{match}").text
    desk.change_volunteer(status=Status.APPLICANT)
    told = browser.get(f"/proposals/{match}").text
    assert button in told
    assert "The visits go on" not in told
    assert "govuk-tag" not in browser.get("/").text.partition("Look at these now")[2].partition("</section>")[0]
    desk.step(match, "review_falls_due", Party.AUTHORITY)
    told = browser.get(f"/proposals/{match}").text
    assert button in told
    assert "The review was held, and the visits go on" not in told  # it would be refused


def test_a_concern_leads_to_whom_it_stopped(desk: Desk) -> None:
    match = active(desk)
    form = page(desk, f"/proposals/{match}/steps/pause")
    assert "The volunteer is suspended at once" in form  # before it is done
    said = {"said_by": "social worker", "reason-social worker": "a concern about the volunteer"}
    led = send(desk, f"/proposals/{match}/steps/pause", **said)
    assert led == f"/volunteers/{desk.volunteer}?saved=suspended"
    assert f"Visits paused: with {references(desk)[0]}" in page(desk, led)


def test_the_page_proposes_nobody_for_an_untrue_reason(desk: Desk) -> None:
    browser = desk.service.as_(Role.COORDINATOR)
    shown = desk.candidates()
    for volunteer, reason in ((shown[-1], "first on the shortlist"), (shown[0], "in the plan")):
        sent = {"reason": reason, "rank": "fit", "csrf": browser.headers["X-CSRF-Token"]}
        answer = browser.post(f"/children/{desk.child}/propose/{volunteer}", data=sent, follow_redirects=False)
        assert answer.status_code == 422
        assert "Choose why you propose this volunteer." in answer.text


CAUTION = "Do not send it before a manager, and where it needs to be the LADO, agrees."


@pytest.mark.parametrize(
    "reason",
    [
        "child objects to any visitor", "does not feel safe with this visitor", "boundaries not kept",
        "serious concern about the volunteer", "serious concern about the child",
    ],
)  # fmt: skip
def test_a_letter_of_ending_gives_no_reason_of_safety(desk: Desk, reason: str) -> None:
    """The volunteer reads it: they are not to learn by it what a child said, nor that somebody looks into it."""
    match = active(desk)
    desk.step(match, "end", Party.CHILD, reason)
    told = page(desk, f"/proposals/{match}/letters/ending")
    assert "The end of your appointment" in told
    assert (CAUTION in told, "The reason:" in told, "thank you" in told, reason in told) == (True, False, False, False)


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        (Party.CHILD, "child does not want this visitor"), (Party.AUTHORITY, "child does not want a visitor now"),
        (Party.CHILD, "planned ending"), (Party.CHILD, "moved away"), (Party.SOCIAL_WORKER, "left care"),
        (Party.PLANNED, "age"), (Party.AUTHORITY, "support not attended"), (Party.AUTHORITY, "other"),
    ],
)  # fmt: skip
def test_a_letter_of_ending_gives_no_reason_that_is_the_childs(desk: Desk, by: Party, reason: str) -> None:
    match = active(desk)
    desk.step(match, "end", by, reason)
    told = page(desk, f"/proposals/{match}/letters/ending")
    assert "The match has come to an end." in told
    given = re.search(rf"\b{reason}\b", told.partition("The end of your appointment")[2])
    assert ("The reason:" in told, given, CAUTION in told) == (False, None, False)


def test_whoever_ends_a_match_is_told_before_which_reasons_the_volunteer_reads(desk: Desk) -> None:
    match = active(desk)
    html = desk.service.as_(Role.COORDINATOR).get(f"/proposals/{match}/steps/end").text
    told = {
        re.sub(r'.*value="', "", one, flags=re.S)
        for one in re.findall(
            r'name="(reason-[^"]+" type="radio" value="[^"]+)"(?:(?!type="radio").)*gives this reason', html, re.S
        )
    }
    assert told == {"planned ending", "moved away", "circumstances of the volunteer"}
    assert "gives this reason" not in html.partition('value="volunteer"')[0]  # of the child's word nothing is told
    assert "otherwise it says that the match has come to an end" in html
    assert "gives this reason" not in page(desk, f"/proposals/{match}/steps/pause")


def test_a_reason_is_said_in_words_wherever_a_person_reads_it(desk: Desk) -> None:
    match, told = active(desk), "he young person has reached the age at which visits end"
    assert f"T{told}" in page(desk, f"/proposals/{match}/steps/end")
    desk.step(match, "end", Party.PLANNED, "age")
    for path in (f"/proposals/{match}", "/proposals?show=over", f"/reports/endings?year={Year.of(today()).first}"):
        assert told in page(desk, path)
    assert f"Reason: t{told}" in page(desk, f"/proposals/{match}")
    assert desk.service.as_(Role.COORDINATOR).get(f"/api/v1/matches/{match}").json()["reason"] == "age"


def test_a_letter_of_ending_looks_at_the_reasons_before_the_last(desk: Desk) -> None:
    """A child who did not feel safe may end it for another reason, or none; only what was taken back is gone."""
    match = active(desk)
    desk.step(match, "pause", Party.AUTHORITY, "a concern about the child")
    desk.step(match, "end", Party.PLANNED, "planned ending")
    told = page(desk, f"/proposals/{match}/letters/ending")
    assert (CAUTION in told, "The reason:" in told, "thank you" in told) == (True, False, False)


def test_letters_say_whom_to_ring_and_leave_lines_for_what_kith_does_not_know(desk: Desk) -> None:
    match = active(desk)
    url = f"/proposals/{match}/letters/appointment"
    html = desk.service.as_(Role.COORDINATOR).get(url).text
    volunteers, childs = html.split("</article>")[:2]
    assert "In the evening and at weekends" in volunteers
    assert volunteers.count("kith-blank") == 2 + 3  # Dear, signed, and whom to ring
    assert "Your advocate, who speaks up for you and does not work for us:" in childs
    assert childs.count("kith-blank") == 3 + 4  # the visitor's name besides, and in and out of office hours
    numbers = re.findall(r"\d{3,}", page(desk, url).replace(references(desk)[0], "").replace(references(desk)[1], ""))
    assert set(numbers) <= {"999", str(today().year)}
    desk.step(match, "end", Party.PLANNED, "planned ending")
    html = desk.service.as_(Role.COORDINATOR).get(f"/proposals/{match}/letters/ending").text
    assert (html.count("Your advocate"), html.count("In the evening and at weekends")) == (1, 2)


def test_another_letter_of_ending_gives_the_reason(desk: Desk) -> None:
    match = active(desk)
    desk.step(match, "end", Party.VOLUNTEER, "planned ending")
    told = page(desk, f"/proposals/{match}/letters/ending")
    assert ("The reason: planned ending." in told, CAUTION in told) == (True, False)
    suspend(desk, "concern raised")
    assert CAUTION in page(desk, f"/proposals/{match}/letters/ending")


def test_the_caution_is_not_printed_with_the_letter(desk: Desk) -> None:
    match = active(desk)
    desk.step(match, "end", Party.CHILD, "boundaries not kept")
    html = desk.service.as_(Role.COORDINATOR).get(f"/proposals/{match}/letters/ending").text
    assert html.index('<div class="kith-screen">') < html.index(CAUTION) < html.index("<article")


# ---- why somebody is suspended, and what lifts it --------------------------------------------------------------------


def offered(desk: Desk) -> set[str]:
    """The reasons for which a manager may approve the volunteer, as the form has them."""
    form = desk.service.as_(Role.MANAGER).get(f"/volunteers/{desk.volunteer}/status").text
    return set(re.findall(r'name="reason-approved" type="radio" value="([^"]*)"', form))


def test_who_is_suspended_for_what_was_recorded_of_a_match_is_told_with_it(desk: Desk) -> None:
    match = active(desk)
    desk.step(match, "pause", Party.AUTHORITY, "does not feel safe with this visitor")
    desk.step(match, "end", Party.CHILD, "boundaries not kept")
    by = f" on {day(today())} by coordinator of north, for what was recorded of a match of theirs"
    for path in (f"/volunteers/{desk.volunteer}", f"/volunteers/{desk.volunteer}/status"):
        told = page(desk, path)
        first = f"Suspended{by} : the child does not feel safe with this visitor."
        second = f"A concern was recorded{by} : boundaries were not kept."
        assert told.index(first) < told.index(second)
        assert f'href="/proposals/{match}">a match of theirs' in desk.service.as_(Role.COORDINATOR).get(path).text


def test_who_is_suspended_by_hand_is_told_with_the_reason_as_long_as_it_lasts(desk: Desk) -> None:
    told = f"Suspended on {day(today())} by coordinator of north. Reason: check lapsed."
    path = f"/volunteers/{desk.volunteer}/status"
    suspend(desk, "check lapsed")
    assert told in page(desk, path)
    for rows in desk.rows():
        back = rows.volunteer(desk.volunteer)
        standing.set_status(rows, back, Status.APPROVED, user_id=desk.user, reason="checks complete")
    assert "Suspended on" not in page(desk, path)
    suspend(desk, "complaint")
    assert "Reason: complaint." in page(desk, path)
    assert told not in page(desk, path)  # that one was lifted


def test_who_was_suspended_by_nobody_that_kith_knows_of_is_told_so(desk: Desk) -> None:
    desk.change_volunteer(status=Status.SUSPENDED)
    assert "Kith has no record of since when, by whom or why" in page(desk, f"/volunteers/{desk.volunteer}")
    assert "checks complete" not in offered(desk)


@pytest.mark.parametrize("reason", ["concern raised", "complaint", "other"])
def test_checks_that_are_complete_lift_no_suspension_for_a_concern(desk: Desk, reason: str) -> None:
    """Nor by way of another standing, nor where a check lapsed as well."""
    suspend(desk, reason)
    assert offered(desk) == {"investigation closed"}
    for rows in desk.rows():
        row = rows.volunteer(desk.volunteer)
        standing.set_status(rows, row, Status.RESIGNED, user_id=desk.user, reason="own wish")
    suspend(desk, "check lapsed")
    assert offered(desk) == {"investigation closed"}
    browser, path = desk.service.as_(Role.MANAGER), f"/api/v1/volunteers/{desk.volunteer}"
    for why, code in (("checks complete", 422), ("investigation closed", 200)):
        tag = {"If-Match": browser.get(path).headers["ETag"]}
        answer = browser.post(
            f"{path}/status", json={"status": "approved", "reason": why, "found": "Nothing."}, headers=tag
        )
        assert answer.status_code == code


def test_checks_that_are_complete_lift_a_suspension_for_a_check_that_lapsed(desk: Desk) -> None:
    suspend(desk, "check lapsed")
    assert "checks complete" in offered(desk)


# ---- checks in words that are true -----------------------------------------------------------------------------------


def test_of_an_approved_volunteer_nobody_says_that_they_are_not_approved(desk: Desk) -> None:
    match = active(desk)
    desk.change_volunteer(agreement_signed_on=None)
    told = page(desk, f"/volunteers/{desk.volunteer}") + page(desk, "/")
    assert told.lower().count("without a signed agreement") >= 2
    assert "not approved" not in told.lower()
    assert match


def test_no_right_to_work_is_told_where_the_policy_does_not_ask_for_it(desk: Desk) -> None:
    warning = f"{references(desk)[1]} has shown no proof of the right to work. This policy does not ask for it."
    desk.change_volunteer(right_to_work=None)
    assert warning not in page(desk, f"/volunteers/{desk.volunteer}")
    desk.change_volunteer(right_to_work=False)
    told = page(desk, f"/volunteers/{desk.volunteer}")
    assert told.index("Checks today") < told.index(warning)


def test_whose_visits_are_paused_is_not_said_to_visit_and_the_review_is_due_all_the_same(desk: Desk) -> None:
    match = active(desk)
    child, volunteer = references(desk)
    visits = f"{volunteer} visits {child} now"
    assert visits in page(desk, f"/volunteers/{desk.volunteer}")
    assert "Next review" in page(desk, f"/proposals/{match}")
    desk.step(match, "pause", Party.AUTHORITY, "circumstances")
    told = page(desk, f"/volunteers/{desk.volunteer}")
    assert (visits in told, f"The visits to {child} are paused, and the place is kept" in told) == (False, True)
    assert "The visits are paused, which puts no review off" in page(desk, f"/proposals/{match}")

"""The pages on which a child stands who is to be asked since a concern, and the form of what they told."""

from __future__ import annotations

from datetime import timedelta

import pytest
from conftest import Service
from httpx2 import Response
from page_reading import HTML
from service_rows import a_match
from test_asking import WORDS, asked, raised, story, taken_back, to_ask
from test_concerns import others_of
from test_proposals import Desk
from test_today import TO_BE_ASKED, part, said

from matcher.instance import today
from matcher.records import Status
from service import standing
from service.pages.html import short_day
from service.permissions import Role
from service.reasons import NOT_REACHED, NOT_TO_BE_ASKED, TOLD_NOTHING, TOLD_SOMETHING
from service.workflow import State

BUTTON = "Record what the child said when asked"


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def page(desk: Desk, path: str, role: Role = Role.COORDINATOR) -> str:
    return said(desk.service.as_(role).get(path, headers=HTML).text)


def sent(desk: Desk, match: str, role: Role = Role.COORDINATOR, **typed: str) -> Response:
    browser = desk.service.as_(role)
    for rows in desk.rows():
        version = str(rows.match(match).version)
    form = {"csrf": browser.headers["X-CSRF-Token"], "version": version, "outcome": TOLD_NOTHING,
            "asked_by": "authority", "day": f"{today():%d/%m/%Y}", **typed}  # fmt: skip
    return browser.post(f"/proposals/{match}/asked", data=form, headers=HTML, follow_redirects=False)


def test_a_child_of_whom_the_match_alone_is_known_is_asked_by_the_pages(desk: Desk) -> None:
    past, _ = others_of(desk)
    for rows in desk.rows():
        rows.child(rows.match(past).child_id).referral = False
    assert BUTTON not in page(desk, f"/proposals/{past}")
    raised(desk)
    story_told = page(desk, f"/proposals/{past}")
    assert BUTTON in story_told
    assert "A concern about the volunteer was recorded: this child is to be asked too" in story_told
    assert "Reason: concern raised" not in story_told  # nobody chose it for this match
    assert "entered by Kith" in story_told
    assert "To be asked too, about the visits or the meeting before: past." in page(
        desk, f"/volunteers/{desk.volunteer}"
    )
    form = page(desk, f"/proposals/{past}/asked")
    assert "Their referral is not in Kith" in form
    assert "The volunteer is suspended at once" in form
    answer = sent(desk, past, outcome=NOT_REACHED, note="Rang the carer twice.")
    assert answer.headers["location"] == f"/proposals/{past}?asked=now"
    after = page(desk, answer.headers["location"])
    assert "past stays on the first page until somebody has asked them." in after
    assert "Rang the carer twice." in after
    assert "could not be reached, as of" in said(part(desk, TO_BE_ASKED))
    answer = sent(desk, past, asked_by="social worker")
    after = page(desk, answer.headers["location"])
    assert "past is no longer on the first page as to be asked." in after
    assert "The child was asked, and told nothing of concern" in after
    assert "on the word of the social worker" in after
    assert BUTTON not in after
    assert "record it again" in after
    assert part(desk, TO_BE_ASKED) == ""
    assert "To be asked too" not in page(desk, f"/volunteers/{desk.volunteer}")


def test_who_told_something_leads_to_whom_to_tell(desk: Desk) -> None:
    """Recorded after the volunteer was taken back, and beside what somebody else recorded meanwhile."""
    past, _ = others_of(desk)
    raised(desk)
    taken_back(desk)
    answer = sent(desk, past, outcome=TOLD_SOMETHING, note=WORDS, version="0")
    assert answer.headers["location"] == f"/volunteers/{desk.volunteer}?saved=suspended"
    told = page(desk, answer.headers["location"])
    assert "Tell a manager and the child’s social worker now" in told
    assert WORDS not in told
    assert WORDS in page(desk, f"/proposals/{past}")


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"outcome": ""}, "Choose what came of it."),
        ({"asked_by": ""}, "Choose who asked, or tried to."),
        ({"asked_by": "volunteer"}, "Choose who asked, or tried to."),
        ({"day": " "}, "Write the day on which it was."),
        ({"day": "31/02/2026"}, "There is no day “31/02/2026”."),
        ({"day": f"{today() + timedelta(days=1):%d/%m/%Y}"}, "That is yet to come."),
        ({"day": f"{today() - timedelta(days=1):%d/%m/%Y}"}, "What was said before that does not answer it."),
        ({"outcome": TOLD_SOMETHING, "note": " "}, "Write what the child told"),
        ({"note": "a\x07b"}, "There is a sign in it that cannot be printed."),
    ],
)
def test_what_is_wrong_is_said_beside_it_and_nothing_is_lost(desk: Desk, typed: dict[str, str], says: str) -> None:
    past, _ = others_of(desk)
    raised(desk)
    answer = sent(desk, past, **{"note": "She was at school.", **typed})
    assert answer.status_code == 422
    assert said(answer.text).count(says) == 2  # in the summary, and beside the field
    if "note" not in typed:
        assert "She was at school." in answer.text
    assert story(desk, past) == [("brought_up", "concern raised")]


def test_who_was_second_is_told(desk: Desk) -> None:
    past, _ = others_of(desk)
    raised(desk)
    for rows in desk.rows():
        version = str(rows.match(past).version)
    asked(desk, past, NOT_REACHED)
    answer = sent(desk, past, version=version)
    assert (answer.status_code, to_ask(desk)) == (409, [past])
    assert "Nothing of yours was recorded" in answer.text
    assert "Recorded so far: The child was to be asked, and could not be reached" in said(answer.text)


def test_a_manager_alone_is_offered_that_a_child_is_not_to_be_asked(desk: Desk) -> None:
    past, _ = others_of(desk)
    raised(desk)
    assert "The child is not to be asked" not in page(desk, f"/proposals/{past}/asked")
    assert "a manager records that" in page(desk, f"/proposals/{past}/asked")
    assert "The child is not to be asked" in page(desk, f"/proposals/{past}/asked", Role.MANAGER)
    assert sent(desk, past, outcome=NOT_TO_BE_ASKED, note="The police ask them.").status_code == 403
    done = sent(desk, past, Role.MANAGER, outcome=NOT_TO_BE_ASKED, note="The police ask them.", asked_by="")
    assert (done.status_code, to_ask(desk)) == (303, [])


def test_it_stands_on_the_childs_page_and_on_the_form_by_which_the_volunteer_is_taken_back(desk: Desk) -> None:
    for rows in desk.rows():
        past = a_match(rows.session, rows.child(desk.child), rows.volunteer(desk.volunteer), State.ENDED, place=None)
        rows.session.flush()
    status = f"/volunteers/{desk.volunteer}/status"
    assert "to be asked still" not in page(desk, status, Role.MANAGER)
    for rows in desk.rows():
        standing.set_status(
            rows, rows.volunteer(desk.volunteer), Status.WITHDRAWN, user_id=desk.user, reason="complaint"
        )
    child = page(desk, f"/children/{desk.child}")
    assert "To be asked about the visits of" in child
    assert "Record what they said when asked" in child
    assert "A complaint about the volunteer was made" in page(desk, f"/proposals/{past.id}")
    form = page(desk, status, Role.MANAGER)
    assert "One child whom" in form
    assert "You may decide before that: that child stays on the first page." in form
    assert f"since {short_day(today())}" in said(part(desk, TO_BE_ASKED))
    asked(desk, past.id, TOLD_NOTHING)
    assert "To be asked about the visits of" not in page(desk, f"/children/{desk.child}")
    assert "to be asked still" not in page(desk, status, Role.MANAGER)


def test_nobody_who_may_not_record_is_offered_it(desk: Desk) -> None:
    past, _ = others_of(desk)
    raised(desk)
    for role in Role:
        answer = desk.service.as_(role).get(f"/proposals/{past}/asked", headers=HTML)
        assert answer.status_code == (200 if role in (Role.COORDINATOR, Role.MANAGER) else 403)

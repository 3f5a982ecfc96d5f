"""A concern about a volunteer that was recorded since a backup is as open as before, or as closed, once it is put back.

The audit log alone says so, and a restore takes those days out of it: what it said of whoever is stopped is entered
again.
"""

from __future__ import annotations

import pytest
from conftest import Service
from set_back import Backups
from test_concerns import others_of
from test_looked_into import TOLD
from test_proposals import Desk
from test_restore import put_back
from test_stopped_pages import page
from test_today import CONCERNS_HERE, TO_BE_ASKED, part, recorded, said

from matcher.instance import today
from matcher.records import Party, Status
from matcher.words import day
from service import audit_log, findings, standing
from service.permissions import Role
from service.proposals import take_step
from service.repository import Repository


@pytest.fixture
def desk(service: Service) -> Desk:
    return Desk(service)


def set_status(desk: Desk, rows: Repository, status: Status, reason: str, *, manager: bool = False) -> None:
    row, role = rows.volunteer(desk.volunteer), Role.MANAGER if manager else Role.COORDINATOR
    user = desk.service.users["north", role]
    standing.set_status(rows, row, status, user_id=user, reason=reason, manager=manager, found="Nothing.")


OPEN = "A concern about {} is open"


def test_what_a_child_said_since_of_who_had_gone_is_still_to_be_looked_into(desk: Desk, backups: Backups) -> None:
    """Though the backup knows why they went, and nothing of where they stand changed by it."""
    _, now = others_of(desk)
    for rows in desk.rows():
        reference = rows.volunteer(desk.volunteer).reference
        set_status(desk, rows, Status.RESIGNED, "own wish")
    reason = "serious concern about the volunteer"
    put_back(
        desk.service,
        backups,
        lambda rows: take_step(rows, now, "end", by=Party.CHILD, user_id=desk.user, reason=reason),
    )
    for _ in range(2):  # also where what was restored is replaced in its turn
        told = part(desk, CONCERNS_HERE)
        assert f'href="/proposals/{now}"' in told
        assert f"{reason.capitalize()}, recorded of" in said(told)
        assert "past and" in said(part(desk, TO_BE_ASKED))
        why = f"A concern was recorded on {day(today())} by coordinator of north, for what was recorded of a"
        for path in (f"/volunteers/{desk.volunteer}", f"/volunteers/{desk.volunteer}/status"):
            assert why in page(desk, path)
        assert OPEN.format(reference) in page(desk, f"/volunteers/{desk.volunteer}/status")
        assert f"for the reason: {reason}; recorded first on: {day(today())}" in said(
            desk.service.as_(Role.AUDITOR).get("/log?kind=standing").text
        )
        with desk.service.database.read(desk.service.north) as session:
            assert audit_log.verify(session, desk.service.keys).problem is None
        backups.put_back()
    assert recorded(desk, Role.MANAGER, Status.RESIGNED, "investigation closed") == 200
    assert part(desk, CONCERNS_HERE) == ""
    assert "A concern about" not in page(desk, f"/volunteers/{desk.volunteer}/status")


def test_a_concern_after_one_that_was_closed_is_still_to_be_looked_into(desk: Desk, backups: Backups) -> None:
    for rows in desk.rows():
        set_status(desk, rows, Status.SUSPENDED, "concern raised")
        set_status(desk, rows, Status.WITHDRAWN, "no longer suitable", manager=True)
    assert part(desk, CONCERNS_HERE) == ""
    put_back(desk.service, backups, lambda rows: set_status(desk, rows, Status.WITHDRAWN, "complaint"))
    assert "Complaint." in said(part(desk, CONCERNS_HERE))


def test_what_a_manager_said_since_of_a_concern_still_closes_it(desk: Desk, backups: Backups) -> None:
    def looked_into(rows: Repository) -> None:
        set_status(desk, rows, Status.SUSPENDED, "concern raised")
        set_status(desk, rows, Status.RESIGNED, "investigation closed", manager=True)

    put_back(desk.service, backups, looked_into)
    assert part(desk, CONCERNS_HERE) == ""
    told = page(desk, f"/volunteers/{desk.volunteer}")
    assert f"Suspended on {day(today())} by coordinator of north. Reason: concern raised." in told
    assert f"The concern was closed on {day(today())} by manager of north: the investigation is over." in told
    for rows in desk.rows():  # and what was found is not lost
        assert [one.found for one in findings.of(rows, rows.volunteer(desk.volunteer))] == ["Nothing."]


def test_a_check_that_lapsed_since_is_no_concern_and_is_answered_by_complete_checks(
    desk: Desk, backups: Backups
) -> None:
    put_back(desk.service, backups, lambda rows: set_status(desk, rows, Status.SUSPENDED, "check lapsed"))
    assert part(desk, CONCERNS_HERE) == ""
    assert recorded(desk, Role.MANAGER, Status.APPROVED, "checks complete") == 200


@pytest.mark.parametrize("back", [Status.APPROVED, Status.APPLICANT])
def test_who_was_taken_back_since_is_told_to_have_had_a_concern(desk: Desk, backups: Backups, back: Status) -> None:
    """Though the backup knows of none, and has them as approved. Who has to apply again since is not approved by it."""

    def looked_into(rows: Repository) -> None:
        set_status(desk, rows, Status.SUSPENDED, "concern raised")
        set_status(desk, rows, back, "investigation closed", manager=True)

    done = put_back(desk.service, backups, looked_into)
    assert done.redo == ()
    for _ in range(2):  # also where what was restored is replaced in its turn
        assert done.noes
        for rows in desk.rows():
            row = rows.volunteer(desk.volunteer)
            assert row.status == back
            assert standing.looked_into(rows) == {row.id: TOLD}
            assert [one.found for one in findings.of(rows, row)] == ["Nothing."]
            assert audit_log.verify(rows.session, desk.service.keys).problem is None
        assert TOLD in page(desk, f"/volunteers/{desk.volunteer}")
        assert part(desk, CONCERNS_HERE) == ""
        done = backups.put_back()


def test_of_whom_the_backup_has_suspended_it_is_kept_what_was_found_and_a_person_takes_them_back(
    desk: Desk, backups: Backups
) -> None:
    for rows in desk.rows():
        set_status(desk, rows, Status.SUSPENDED, "concern raised")

    def taken_back(rows: Repository) -> None:
        set_status(desk, rows, Status.APPLICANT, "investigation closed", manager=True)
        set_status(desk, rows, Status.APPROVED, "panel approved")
        set_status(desk, rows, Status.SUSPENDED, "complaint")
        set_status(desk, rows, Status.APPROVED, "investigation closed", manager=True)

    done = put_back(desk.service, backups, taken_back)
    told = [line.partition(" (")[2].partition(")")[0] for line in done.redo]
    assert told == ["status: applicant", "status: approved", "status: approved"]
    for _ in range(2):
        assert done.noes
        assert part(desk, CONCERNS_HERE) == ""  # all was looked into, and nothing is open by what was between
        for rows in desk.rows():
            row = rows.volunteer(desk.volunteer)
            assert row.status == Status.SUSPENDED
            assert standing.looked_into(rows) == {row.id: f"{TOLD} {TOLD}"}
            assert len(findings.of(rows, row)) == 2
        done = backups.put_back()
    assert recorded(desk, Role.MANAGER, Status.APPROVED, "panel approved") == 422
    assert recorded(desk, Role.MANAGER, Status.APPROVED, "investigation closed") == 200


def test_of_a_check_that_lapsed_and_was_renewed_since_nothing_is_to_be_done_again(desk: Desk, backups: Backups) -> None:
    def renewed(rows: Repository) -> None:
        set_status(desk, rows, Status.SUSPENDED, "check lapsed")
        set_status(desk, rows, Status.APPROVED, "checks complete", manager=True)

    done = put_back(desk.service, backups, renewed)
    assert (done.noes, done.redo) == (0, ())
    assert "A concern was looked into" not in page(desk, f"/volunteers/{desk.volunteer}")

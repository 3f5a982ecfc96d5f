"""An exception that comes by a file is held against a no as one that a manager makes by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest
from conftest import Service
from service_rows import a_match
from sqlalchemy import select
from test_import_safeguards import HEADINGS, Files
from test_import_safeguards import files as files
from test_import_safeguards import pair as pair

from matcher.instance import today
from matcher.records import ExceptionKind
from matcher.words import day
from service.database import tables
from service.permissions import Role
from service.repository import Repository
from service.workflow import State

Four = tuple[str, str, str, str]
WHY = "does not feel safe with this visitor"


def allowing(child: str, volunteer: str, kind: str = "", *, days_ago: int = 0) -> str:
    approved = f"{today() - timedelta(days=days_ago):%d/%m/%Y}"
    heading = "kind,volunteer_id,child_id,reason,approved_by,approved_on"
    return f"{heading}\n{kind or ExceptionKind.RELATIVE},{volunteer},{child},The uncle,A manager,{approved}\n"


@pytest.mark.parametrize("state", [State.ENDED, State.DECLINED])
def test_no_file_makes_an_exception_for_two_of_whom_somebody_said_no(
    service: Service, files: Files, pair: Four, state: State
) -> None:
    child, volunteer, c, v = pair
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        if state is State.ENDED:
            over = a_match(rows.session, rows.child(child), rows.volunteer(volunteer), State.ENDED, place=None)
            over.reason, over.ended_on, what = WHY, today(), "their match ended"
        else:
            no = tables.Declined(child_id=child, volunteer_id=volunteer, said_by="child", declined_on=today())
            rows.seal(no, "reason", WHY)
            rows.session.add(no)
            what = "the child said no"
    told = files.look(Role.MANAGER, volunteers=f"volunteer_id\n{v}\n", exceptions=allowing(c, v, days_ago=400))
    (wrong,) = (one for one in told["problems"] if one["rejected"])
    assert (told["usable"], wrong["row"], wrong["value"]) == (False, 2, c)
    assert wrong["wrong"] == (
        f"with {v}: no exception lets them visit this child: {what} on {day(today())}, "
        "and the two are never proposed to each other again"
    )
    assert WHY not in f"{told}"  # which would stand in the file that is given back
    with service.database.read(service.north) as session:
        of_theirs = tables.RecordedException.volunteer_id == volunteer, tables.RecordedException.child_id == child
        assert session.scalars(select(tables.RecordedException).where(*of_theirs)).all() == []


@pytest.mark.parametrize(
    ("sheet", "days_ago", "refused"),
    [("declined", 10, True), ("declined", None, True), ("declined", 400, False), ("matches", 10, True),
     ("matches", 400, False)],
)  # fmt: skip
def test_what_was_allowed_before_a_no_of_the_same_files_is_history_and_after_it_is_refused(
    files: Files, pair: Four, sheet: str, days_ago: int | None, refused: bool
) -> None:
    """The no, or the ending, is of 100 days ago."""
    _, _, c, v = pair
    on = "" if days_ago is None else f"{today() - timedelta(days=100):%d/%m/%Y}"
    said = {
        "declined": f"{HEADINGS['declined']},declined_on\n{c},{v},child,{on}\n",
        "matches": f"{HEADINGS['matches']}\n{c},{v},ended,{c},01/02/2024,{on}\n",
    }[sheet]
    told = files.look(
        volunteers=f"volunteer_id\n{v}\n", exceptions=allowing(c, v, days_ago=days_ago or 10), **{sheet: said}
    )
    assert told["usable"] is not refused
    assert any("no exception lets them visit this child" in one["wrong"] for one in told["problems"]) is refused


def test_an_exception_that_is_here_already_and_one_for_others_are_taken_as_before(files: Files, pair: Four) -> None:
    _, _, c, v = pair
    people, sheet = f"volunteer_id\n{v}\n", allowing(c, v)
    (one,) = files.look(Role.MANAGER, volunteers=people, exceptions=sheet)["weaker"]
    assert files.take(Role.MANAGER, one["key"]) == 201
    no = f"{HEADINGS['declined']}\n{c},{v},child\n"
    assert files.look(volunteers=people, exceptions=sheet, declined=no)["usable"]  # it allows nothing: the no stands
    assert files.take(Role.COORDINATOR) == 201
    told = files.look(volunteers=people, exceptions=sheet)
    assert (told["usable"], told["same"]["exceptions"]) == (True, 1)

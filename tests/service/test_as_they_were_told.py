"""Whoever proposes a volunteer whom the plan has for another child was told so, and the proposal keeps it as told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from conftest import Service
from fastapi.testclient import TestClient
from httpx2 import Response
from sqlalchemy import func, select
from test_run_pages import run_once

from matcher.instance import today
from matcher.shortlist import shortlist
from service import plans
from service.database import tables
from service.permissions import Role
from service.proposals import Chosen, failing_rules, propose
from service.repository import Repository
from service.steps import planned_for

CHANGED = "has changed since you opened this page"


@dataclass
class Desk:
    """A coordinator about to propose a volunteer whom a plan, not published yet, has for another child."""

    service: Service
    run_id: str
    child: str
    volunteer: str
    other: str
    instead: str
    """Who could visit the other child as well."""
    browser: TestClient = field(init=False)

    def __post_init__(self) -> None:
        self.browser = self.service.as_(Role.COORDINATOR)

    @property
    def path(self) -> str:
        return f"/children/{self.child}/propose/{self.volunteer}"

    def opens(self) -> dict[str, str]:
        """The form, filled in."""
        return sent_by(self.browser.get(f"{self.path}?rank=fit").text)

    def sends(self, form: Mapping[str, str]) -> Response:
        return self.browser.post(self.path, data=dict(form), follow_redirects=False)

    def publish(self) -> None:
        answer = self.browser.post(f"/runs/{self.run_id}/publish", data={"reason": "Agreed."}, follow_redirects=False)
        assert answer.status_code == 303

    def somebody_else_for_the_other(self) -> None:
        with self.service.database.write(self.service.north) as session:
            rows, user = Repository(session, self.service.keys), self.service.users["north", Role.COORDINATOR]
            propose(rows, self.other, self.instead, user_id=user, reason="other", chosen=Chosen("fit", 2, ()))

    def proposals(self) -> int:
        """How many there are for the child."""
        with self.service.database.read(self.service.north) as session:
            own = select(func.count()).select_from(tables.Match).where(tables.Match.child_id == self.child)
            return session.scalar(own) or 0

    def kept(self, made: Response) -> list[str]:
        """For whom else the plan had the volunteer, as the proposal tells."""
        assert made.status_code == 303, made.text
        with self.service.database.read(self.service.north) as session:
            rows = Repository(session, self.service.keys)
            return planned_for(rows, rows.match(made.headers["location"].rpartition("/")[2]))


def sent_by(page: str) -> dict[str, str]:
    """What the form of a page brings along, with a reason chosen."""
    hidden = re.findall(
        r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.partition('<form method="post" no')[2]
    )
    return {**dict(hidden), "reason": "the child's wish", "note": "Rang them both."}


@pytest.fixture
def desk(service: Service) -> Desk:
    run_id, _ = run_once(service.database, service.keys, service.north)
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        planned = {one["child"]: one["volunteer"] for one in plans.of_run(rows, run_id)[1].plan["matches"]}
        instance = rows.instance(today())
    at_once = {match.child for match in instance.pins}
    return next(
        Desk(service, run_id, child.id, volunteer, other, instead[0])
        for other, volunteer in planned.items()
        if other not in at_once
        and (instead := [
            one.volunteer for one in shortlist(instance, other, top=9, rank_by="fit")
            if one.volunteer != volunteer and not failing_rules(instance, other, one.volunteer)
        ])
        for child in instance.waiting
        if child.id not in {*at_once, other} and planned.get(child.id) != volunteer
        and not failing_rules(instance, child.id, volunteer)
    )  # fmt: skip


def test_a_plan_that_is_published_while_a_form_is_open_is_told_before_anything_is_proposed(desk: Desk) -> None:
    form = desk.opens()
    desk.publish()
    again = desk.sends(form)
    assert again.status_code == 422
    assert CHANGED in again.text
    assert "this volunteer is for another child" in again.text
    assert "Rang them both." in again.text
    assert desk.proposals() == 0
    assert desk.kept(desk.sends(sent_by(again.text))) == [desk.other]


def test_what_somebody_was_told_is_kept_whatever_came_between(desk: Desk) -> None:
    desk.publish()
    form = desk.opens()
    desk.somebody_else_for_the_other()
    assert desk.kept(desk.sends(form)) == [desk.other]


def test_nothing_is_kept_of_whom_nobody_was_told(desk: Desk) -> None:
    desk.publish()
    desk.somebody_else_for_the_other()
    assert desk.kept(desk.sends(desk.opens())) == []


@pytest.mark.parametrize("told", ["", "the child themselves", "a child of whom the plan says otherwise"])
def test_a_form_says_of_no_other_child_that_its_sender_was_told(desk: Desk, told: str) -> None:
    desk.publish()
    form = desk.opens()
    with desk.service.database.read(desk.service.north) as session:
        others = select(tables.Child.id).where(tables.Child.id.not_in((desk.child, desk.other)))
        beyond = {"the child themselves": desk.child, "": ""}.get(told) or session.scalars(others).first()
    assert form["planned_for"] == desk.other
    sent = desk.sends({**form, "planned_for": f"{desk.other} {beyond}" if told else ""})
    assert (sent.status_code, CHANGED in sent.text, desk.proposals()) == (422, True, 0)

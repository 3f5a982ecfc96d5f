"""Whoever changes what matching reads takes their turn before they lock anything: so no two wait for each other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from conftest import Service
from sqlalchemy import select

from matcher.instance import today
from matcher.readers import Reading
from matcher.records import ExceptionKind, Party, Status
from service import exceptions, families, importing, people, privacy, proposals, standing
from service.database import tables
from service.permissions import Role
from service.proposals import Chosen
from service.repository import Repository

HELD = 0.5
"""Seconds for which somebody else has their turn."""
LOCKED_BY_CHANGES = (tables.Child, tables.Volunteer, tables.Match, tables.Family, tables.Budget, tables.Organisation)

Change = Callable[["Desk"], object]


class Desk:
    """What the changes are about: two children without a match, a volunteer of one of them, a match, and files."""

    def __init__(self, service: Service, rows: Repository, files: Reading) -> None:
        self.rows, self.user, self.files = rows, service.users["north", Role.MANAGER], files
        self.match = service.a_match()
        self.child, self.volunteer = service.eligible_pair()
        free = select(tables.Child.id).where(tables.Child.referral, tables.Child.id != self.child)
        self.other = rows.session.scalars(
            free.where(~tables.Child.id.in_(select(tables.Match.child_id))).order_by(tables.Child.id).limit(1)
        ).one()

    def propose(self) -> object:
        chosen = Chosen("fit", 1, (self.volunteer,))
        return proposals.propose(
            self.rows, self.child, self.volunteer, user_id=self.user, reason="other", chosen=chosen
        )


CHANGES: dict[str, Change] = {
    "a proposal": Desk.propose,
    "a step": lambda desk: proposals.take_step(
        desk.rows, desk.match, "pause", by=Party.AUTHORITY, user_id=desk.user, reason="circumstances"
    ),
    "an import": lambda desk: importing.take_in(desk.rows, desk.files, today(), user_id=None),
    "a child's no": lambda desk: proposals.object_to_any(desk.rows, desk.child, user_id=desk.user),
    "a suspension": lambda desk: standing.set_status(
        desk.rows,
        desk.rows.volunteer(desk.volunteer),
        Status.SUSPENDED,
        user_id=desk.user,
        reason=standing.CONCERN,
    ),
    "a new child": lambda desk: people.add_child(desk.rows, "N-8", {}, None, user_id=desk.user),
    "a child's facts": lambda desk: people.change_child(
        desk.rows, desk.rows.child(desk.child), {"gender": "female"}, user_id=desk.user
    ),
    "a volunteer's facts": lambda desk: people.change_volunteer(
        desk.rows, desk.rows.volunteer(desk.volunteer), {"gender": "female"}, user_id=desk.user
    ),
    "siblings": lambda desk: families.link_siblings(desk.rows, [desk.child, desk.other], user_id=desk.user),
    "no siblings": lambda desk: families.unlink_sibling(
        desk.rows, desk.rows.child(desk.child), user_id=desk.user, reason="entered by mistake"
    ),
    "an exception": lambda desk: exceptions.approve(
        desk.rows, ExceptionKind.SECOND_CHILD, desk.volunteer, None, 2, user_id=desk.user, reason="both asked for it"
    ),
    "an erasure": lambda desk: privacy.erase_child(
        desk.rows, desk.rows.child(desk.child), user_id=desk.user, reason="asked for"
    ),
    "an erasure of a volunteer": lambda desk: privacy.erase_volunteer(
        desk.rows, desk.rows.volunteer(desk.volunteer), user_id=desk.user, reason="asked for"
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_waits_for_its_turn_and_keeps_nobody_waiting_meanwhile(
    service: Service, small_county: Reading, change: Change
) -> None:
    if service.database.sqlite:
        return  # one writer at a time
    service.eligible_pair()  # found once: no time of those who wait

    def ask() -> None:
        with service.database.write(service.north) as session:
            change(Desk(service, Repository(session, service.keys), small_county))

    with ThreadPoolExecutor(1) as pool:
        with service.database.write(service.north) as holding:
            Repository(holding, service.keys).take_turn()
            answer = pool.submit(ask)
            assert not wait([answer], HELD).done
            for table in LOCKED_BY_CHANGES:  # whatever they lock is free still
                holding.execute(select(table.id).with_for_update(nowait=True)).all()
        answer.result(30)

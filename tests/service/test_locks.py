"""Whoever changes what matching reads takes their turn before they lock anything: so no two wait for each other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pytest
from conftest import Service
from sqlalchemy import select, text

from matcher.catalogue import load_policy
from matcher.instance import today
from matcher.readers import Reading
from matcher.records import ExceptionKind, Party, Status
from service import exceptions, families, importing, organisations, people, policies, privacy, proposals, standing
from service.database import tables
from service.database.engine import Database
from service.permissions import Role
from service.proposals import Chosen
from service.repository import Repository

PATIENCE = 60
"""Seconds: of a machine that is busy, not of what is tested."""
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

    def prepare(self) -> None:
        """An exception to be withdrawn, and an organisation to be renamed."""
        kind, why = ExceptionKind.SECOND_CHILD, "both asked for it"
        exceptions.approve(self.rows, kind, self.volunteer, None, 2, user_id=self.user, reason=why)
        organisations.add(self.rows, "Bluebell Homes", user_id=self.user)

    def exception(self) -> tables.RecordedException:
        newest = select(tables.RecordedException).where(tables.RecordedException.volunteer_id == self.volunteer)
        return self.rows.session.scalars(newest).one()

    def organisation(self) -> tables.Organisation:
        named = tables.Organisation.name == "Bluebell Homes"
        return self.rows.session.scalars(select(tables.Organisation).where(named)).one()

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
    "an exception withdrawn": lambda desk: exceptions.withdraw(
        desk.rows, desk.exception(), user_id=desk.user, reason="over"
    ),
    "a policy": lambda desk: (
        policies.held_in_force(desk.rows),
        policies.add_version(desk.rows, load_policy("surrey"), user_id=desk.user, reason="ours"),
    ),
    "a new volunteer": lambda desk: people.add_volunteer(desk.rows, "N-9", {}, user_id=desk.user),
    "who somebody is": lambda desk: people.write_person(
        desk.rows, desk.rows.volunteer(desk.volunteer), "{}", user_id=desk.user
    ),
    "an organisation": lambda desk: organisations.add(desk.rows, "Sunrise Care", user_id=desk.user),
    "an organisation's name": lambda desk: organisations.rename(
        desk.rows, desk.organisation(), "Sunset Care", user_id=desk.user
    ),
    "an erasure": lambda desk: privacy.erase_child(
        desk.rows, desk.rows.child(desk.child), user_id=desk.user, reason="asked for"
    ),
    "an erasure of a volunteer": lambda desk: privacy.erase_volunteer(
        desk.rows, desk.rows.volunteer(desk.volunteer), user_id=desk.user, reason="asked for"
    ),
}


def until_somebody_waits(database: Database, answer: Future[None]) -> None:
    """Until another session of this database waits for a lock; fails if the change is through without."""
    waits = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    for _ in range(PATIENCE * 20):
        with database.engine.connect() as looking:  # each time anew: one transaction sees what it saw at first
            if looking.scalar(waits):
                return
        assert not wait([answer], 0.05).done, "it took no turn"
    raise AssertionError("nobody waited")


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_waits_for_its_turn_and_keeps_nobody_waiting_meanwhile(
    service: Service, small_county: Reading, change: Change
) -> None:
    if service.database.sqlite:
        return  # one writer at a time

    with service.database.write(service.north) as session:
        Desk(service, Repository(session, service.keys), small_county).prepare()

    def ask() -> None:
        with service.database.write(service.north) as session:
            change(Desk(service, Repository(session, service.keys), small_county))

    with ThreadPoolExecutor(1) as pool:
        with service.database.write(service.north) as holding:
            Repository(holding, service.keys).take_turn()
            answer = pool.submit(ask)
            until_somebody_waits(service.database, answer)
            for table in LOCKED_BY_CHANGES:  # whatever they lock is free still
                holding.execute(select(table.id).with_for_update(nowait=True)).all()
        answer.result(PATIENCE)

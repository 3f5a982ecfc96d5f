"""What was found out or erased since a backup is kept when it is put back in the place of a database; the rest is told.

That no no is undone by a restore is in test_backup.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from conftest import Service
from service_rows import a_child, a_match, put_in_order
from set_back import Backups
from sqlalchemy import select
from test_one_budget import paid_by_one
from test_proposals import WAY, Desk
from typer.testing import CliRunner

from matcher.instance import today
from matcher.records import Agreement, Party, Status
from service import asking, audit_log, notes, people, privacy, standing
from service.backup import Restored
from service.cli import app
from service.database import tables
from service.families import link_siblings
from service.permissions import Role
from service.proposals import Chosen, propose, take_step
from service.reasons import UNSAFE
from service.repository import Repository
from service.settings import Settings
from service.taking_back import take_back
from service.workflow import State

Since = Callable[[Repository], object]


def put_back(service: Service, backups: Backups, since: Since) -> Restored:
    """Takes a backup, does something, and puts the backup back; again, from what was restored, nothing is lost."""
    backups.make()
    with service.database.write(service.north) as session:
        since(Repository(session, service.keys))
    return backups.put_back()


def as_environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a person tells the commands."""
    for name in ("database_url", "owner_url", "former_url"):
        if (url := getattr(settings, name)) is not None:
            monkeypatch.setenv(f"KITH_{name.upper()}", url.get_secret_value())
    monkeypatch.setenv("KITH_KEYS_FILE", str(settings.keys_file))


def rules(service: Service, child: str, volunteer: str) -> dict[str, str]:
    path = f"/api/v1/children/{child}/volunteers/{volunteer}/explanation"
    return {one["rule"]: one["verdict"] for one in service.as_(Role.COORDINATOR).get(path).json()["reasons"]}


def test_a_pause_for_whatever_reason_is_kept(service: Service, backups: Backups) -> None:
    active, user = service.a_match(), service.users["north", Role.COORDINATOR]

    def pause(rows: Repository) -> None:
        take_step(
            rows,
            active,
            "pause",
            by=Party.AUTHORITY,
            user_id=user,
            reason="circumstances",
            note="She was afraid",
        )

    done = put_back(service, backups, pause)
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        why = session.scalars(select(tables.Decision).where(tables.Decision.match_id == active)).one()
        told = rows.match(active).state, why.step, why.reason, why.user_id
        assert told == (State.PAUSED, "pause", "circumstances", user)
        assert rows.open(why, "note") == "She was afraid"
        assert audit_log.verify(session, service.keys).problem is None
    assert (done.noes, done.redo) == (1, ())


def test_siblings_holds_and_councils_that_were_found_out_still_part_a_pair(service: Service, backups: Backups) -> None:
    child, volunteer = service.eligible_pair()
    user = service.users["north", Role.COORDINATOR]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        known = rows.child(child).family_id
        other = next(id for id in service.children() if rows.child(id).family_id != known)
        ended = tables.Match(
            child_id=other, family_id=rows.child(other).family_id, volunteer_id=volunteer,
            capacity=rows.volunteer(volunteer).capacity, state=State.ENDED,
        )  # fmt: skip
        session.add(ended)
        council = rows.child_record(rows.child(child), family_known=True).responsible_authority
    parting = ("sibling_history", "safeguarding_hold", "independent_of_authority")
    before = rules(service, child, volunteer)
    assert {before[one] for one in parting} <= {"passes", "not in force"}

    def found_out(rows: Repository) -> None:
        link_siblings(rows, [child, other], user_id=user)
        people.change_child(rows, rows.child(child), {"safeguarding_issue": "yes"}, user_id=user)
        facts: dict[str, str | None] = {"connected_authorities": council}
        people.change_volunteer(rows, rows.volunteer(volunteer), facts, user_id=user)

    done = put_back(service, backups, found_out)
    assert done.noes == 3
    after = rules(service, child, volunteer)
    assert {one: after[one] for one in parting} == dict.fromkeys(parting, "fails")
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        assert rows.child(child).family_id == rows.child(other).family_id
        assert audit_log.verify(session, service.keys).problem is None
    assert backups.put_back().noes == 3  # from the restored one itself
    assert rules(service, child, volunteer) == after


def test_who_was_erased_does_not_come_back(service: Service, backups: Backups) -> None:
    child, volunteer = service.eligible_pair()
    manager = service.users["north", Role.MANAGER]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        rows.seal(rows.child(child), "person", '{"name": "Planted"}')
        references = [rows.child(child).reference, rows.volunteer(volunteer).reference]

    def erase(rows: Repository) -> None:
        privacy.erase_child(rows, rows.child(child), user_id=manager, reason="asked to be erased")
        privacy.erase_volunteer(rows, rows.volunteer(volunteer), user_id=manager, reason="retention period over")

    for n in (1, 2):  # the second time from the restored one itself
        done = put_back(service, backups, erase) if n == 1 else backups.put_back()
        with service.database.read(service.north) as session:
            rows = Repository(session, service.keys)
            row, other = rows.child(child), rows.volunteer(volunteer)
            assert not {row.reference, other.reference} & {*references}
            assert (row.person, rows.child_record(row, family_known=False).date_of_birth) == (None, None)
            assert rows.volunteer_record(other).date_of_birth is None
            reasons = select(tables.AuditEvent.subject, tables.AuditEvent.reason)
            told = session.execute(reasons.where(tables.AuditEvent.action.in_(privacy.ERASING)))
            assert {one.subject: one.reason for one in told} == {
                child: "asked to be erased",
                volunteer: "retention period over",
            }
            assert audit_log.verify(session, service.keys).problem is None
        assert done.redo == ()


def test_what_else_was_done_since_is_told_and_what_is_kept_is_not(
    service: Service, backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    child, volunteer = service.eligible_pair()
    user, active = service.users["north", Role.COORDINATOR], service.a_match()
    file = backups.make()
    desk = service.as_(Role.COORDINATOR)
    desk.get(f"/api/v1/children/{child}")  # nobody does a reading again
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        named, visitor = rows.child(child).reference, rows.volunteer(volunteer).reference
        people.change_child(rows, rows.child(child), {"interests": "chess"}, user_id=user)
        people.change_volunteer(rows, rows.volunteer(volunteer), {"has_dog": "no"}, user_id=user)
        people.add_child(rows, "NEW-1", {}, None, user_id=user)
        take_step(rows, active, "end", by=Party.CHILD, user_id=user, reason="child does not want this visitor")
    settings, replace = backups.make_room()
    as_environment(settings, monkeypatch)
    done = CliRunner().invoke(app, ["restore", str(file), *(["--replace"] if replace else [])])
    assert done.exit_code == 0, done.output
    _, _, list_of = done.output.partition("Do it again, in this order:\n")
    told = [line.partition(" UTC: ")[2] for line in list_of.splitlines()]
    by = ", by coordinator@north.invalid"
    assert told == [
        f"change child {named} (interests){by}",
        f"change volunteer {visitor} (has_dog){by}",
        f"add child NEW-1{by}",
    ]
    with service.database.read(service.north) as session:
        assert session.get_one(tables.Match, active).state == State.ENDED


def test_what_is_said_of_whom_the_backup_does_not_know_is_told(service: Service, backups: Backups) -> None:
    """None of it is kept: there is nobody whom to keep it of."""
    user, manager = service.users["north", Role.COORDINATOR], service.users["north", Role.MANAGER]
    known, volunteer = service.eligible_pair()

    def done(rows: Repository) -> None:
        child = people.add_child(rows, "NEW-1", {}, None, user_id=user)
        visitor = people.add_volunteer(rows, "NEW-2", {}, user_id=user)
        old = rows.child(known).reference
        names.extend((old, rows.volunteer(volunteer).reference))
        link_siblings(rows, [known, child.id], user_id=user)
        standing.set_status(rows, visitor, Status.SUSPENDED, user_id=user, reason="concern raised")
        people.change_child(rows, rows.child(known), {"agrees": "not asked"}, user_id=user)
        rows.session.add(
            match := tables.Match(
                child_id=child.id, family_id=child.family_id, volunteer_id=volunteer, state=State.ACTIVE, place=0,
                capacity=rows.volunteer(volunteer).capacity,
            )
        )  # fmt: skip
        rows.session.flush()
        take_step(rows, match.id, "pause", by=Party.AUTHORITY, user_id=user, reason="circumstances")
        take_step(rows, match.id, "end", by=Party.CHILD, user_id=user, reason="serious concern about the child")
        people.change_child(rows, child, {"agrees": "no"}, user_id=user, no_by="child")
        # Not told: they are in the backup, and stand there as they do in the end.
        standing.set_status(rows, rows.volunteer(volunteer), Status.RESIGNED, user_id=user, reason="own wish")
        standing.set_status(
            rows, rows.volunteer(volunteer), Status.APPROVED, user_id=manager, reason="investigation closed"
        )

    names: list[str] = []
    told = [line.partition(" UTC: ")[2] for line in put_back(service, backups, done).redo]
    old, visitor = names
    assert [line.rpartition(", by ")[0] for line in told] == [
        "add child NEW-1",
        "add volunteer NEW-2",
        f"link siblings {old}, NEW-1",
        "volunteer status NEW-2 concern raised (status: suspended)",
        f"change child {old} (agrees: not asked)",
        f"decision: pause NEW-1 with {visitor} circumstances",
        f"decision: end NEW-1 with {visitor} serious concern about the child",
        "hold referral NEW-1 safeguarding",
        "child objects NEW-1 (agrees: no)",
        "change child NEW-1 (agrees: no)",
    ]


def test_a_match_that_began_and_ended_since_still_parts_siblings(service: Service, backups: Backups) -> None:
    child, volunteer = service.eligible_pair()
    user = service.users["north", Role.COORDINATOR]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        known = rows.child(child).family_id
        other = next(id for id in service.children() if rows.child(id).family_id != known)
        link_siblings(rows, [child, other], user_id=user)
    assert rules(service, child, volunteer)["sibling_history"] in ("passes", "not in force")

    def visited(rows: Repository) -> None:
        """Twice, of which the index of siblings lets in one as it is."""
        for day in (1, 2):
            rows.session.add(
                match := tables.Match(
                    child_id=other, family_id=rows.child(other).family_id, volunteer_id=volunteer, place=0,
                    capacity=rows.volunteer(volunteer).capacity, state=State.ACTIVE, started_on=date(2026, 1, day),
                    irregular=day == 2,
                )
            )  # fmt: skip
            rows.session.flush()
            take_step(rows, match.id, "end", by=Party.CHILD, user_id=user, reason="planned ending")

    done = put_back(service, backups, visited)
    for n in (1, 2):  # the second time from the restored one itself
        if n == 2:
            done = backups.put_back()
        assert (done.noes, done.redo) == (2, ())
        assert rules(service, child, volunteer)["sibling_history"] == "fails"
        with service.database.read(service.north) as session:
            ended = select(tables.Match).where(tables.Match.child_id == other, tables.Match.volunteer_id == volunteer)
            found = list(session.scalars(ended.order_by(tables.Match.started_on)))
            assert [one.started_on for one in found] == [date(2026, 1, 1), date(2026, 1, 2)]
            assert sorted(one.irregular for one in found) == [False, True]
            assert {(one.state, one.reason, one.place) for one in found} == {(State.ENDED, "planned ending", None)}
            assert audit_log.verify(session, service.keys).problem is None


@pytest.mark.parametrize("for_safety", [False, True])
def test_a_child_who_is_to_be_asked_again_is_not_proposed_to(
    service: Service, backups: Backups, for_safety: bool
) -> None:
    """Though the proposal to which they said it was made since the backup; who says yes again is not asked again."""
    child, volunteer = service.eligible_pair()
    user, active = service.users["north", Role.COORDINATOR], service.a_match()
    asked = people.Asked("social worker", today())
    reason = UNSAFE if for_safety else "does not want a visitor now"
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        visited = rows.match(active).child_id
        people.change_child(rows, rows.child(visited), {"agrees": "yes"}, user_id=user, asked=asked)

    def declined(rows: Repository) -> None:
        match = propose(rows, child, volunteer, user_id=user, reason="other", chosen=Chosen("fit", 1, (volunteer,)))
        take_step(rows, match.id, "child_declines", by=Party.CHILD, user_id=user, reason=reason)
        take_step(rows, active, "end", by=Party.CHILD, user_id=user, reason="child does not want a visitor now")
        people.change_child(rows, rows.child(visited), {"agrees": "yes"}, user_id=user, asked=asked)

    done = put_back(service, backups, declined)
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        said = [rows.child_record(rows.child(id), family_known=True).agrees for id in (child, visited)]
        assert said == [Agreement.NOT_ASKED, Agreement.YES]
    # The child's word, the pair, and the match that is over; that the volunteer is suspended.
    assert done.noes == 3 + for_safety
    assert [line.partition(" UTC: ")[2].split(" ")[:2] for line in done.redo] == [["change", "child"]]


@pytest.mark.parametrize("brought_up_before", [True, False])
def test_what_came_of_asking_a_child_since_a_concern_is_kept(
    service: Service, backups: Backups, brought_up_before: bool
) -> None:
    """That they told something suspends the volunteer, and stands on the first page, as before; each word counts as
    it was recorded, and not by the day that it was of."""
    user, manager = service.users["north", Role.COORDINATOR], service.users["north", Role.MANAGER]
    matches = [service.a_match()]

    def concern(rows: Repository) -> None:
        volunteer = rows.volunteer(rows.match(matches[0]).volunteer_id)
        if len(matches) == 1:
            take_step(rows, matches[0], "end", by=Party.AUTHORITY, user_id=user, reason="other")
            matches.extend(
                a_match(rows.session, a_child(rows, f"past {n}"), volunteer, State.ENDED, place=None).id
                for n in range(2)
            )
        standing.set_status(rows, volunteer, Status.SUSPENDED, user_id=user, reason="concern raised")

    def told(rows: Repository) -> None:
        if not brought_up_before:
            concern(rows)
        volunteer = rows.volunteer(rows.match(matches[0]).volunteer_id)
        put_in_order(rows, volunteer.id)
        standing.set_status(rows, volunteer, Status.APPROVED, user_id=manager, reason="investigation closed",
                            manager=True, found="Nothing.")  # fmt: skip
        first, second, third = matches
        for match, outcome in (
            (third, "could not be reached"), (third, "told nothing of concern"), (second, "told nothing of concern"),
            (first, "told something of concern"), (second, "could not be reached"),
            (second, "told nothing of concern"),
        ):  # fmt: skip
            asking.record(rows, match, outcome, asked_by=Party.AUTHORITY, on=today(), user_id=user, note="He shouted.")

    if brought_up_before:
        with service.database.write(service.north) as session:
            concern(Repository(session, service.keys))

    def stories() -> dict[str, list[tuple[str, str | None, str | None]]]:
        with service.database.read(service.north) as session:
            rows, one = Repository(session, service.keys), tables.Decision
            found = session.scalars(select(one).where(one.match_id.in_(matches)).order_by(one.match_id, one.number))
            told = [(row.match_id, (row.step, row.reason, rows.open(row, "note"))) for row in found]
        asked = ("brought_up", "asked")
        return {id: [one for match, one in told if match == id and one[0] in asked] for id in matches}

    backups.make()
    with service.database.write(service.north) as session:
        told(Repository(session, service.keys))
    before = stories()
    done = backups.put_back()
    kept = matches if brought_up_before else matches[:1]  # of the others the backup knows no child
    assert sum("decision: asked" in line for line in done.redo) == (0 if brought_up_before else 5)
    assert {id: told for id, told in stories().items() if id in kept} == {id: before[id] for id in kept}
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        volunteer = rows.volunteer(rows.match(matches[0]).volunteer_id)
        assert volunteer.status == Status.SUSPENDED
        recorded = standing.still_open(standing.stops(rows, volunteer))
        assert [one.match for one in recorded] == [matches[0]]
        assert set(standing.reasons_there(rows, recorded).values()) == {"told something of concern"}
        left = [one.match.id for one in asking.to_ask(rows)]
        assert left == ([matches[2]] if brought_up_before else [])
        assert audit_log.verify(session, service.keys).problem is None


def test_what_was_recorded_by_mistake_and_taken_back_since_is_neither_kept_nor_told(
    service: Service, backups: Backups
) -> None:
    desk = Desk(service)
    match, paused = desk.propose(), service.a_match()
    backups.make()
    desk.step(match, "child_declines", Party.CHILD, "does not want this visitor")
    desk.step(paused, "pause", Party.AUTHORITY, "circumstances")
    for id in (match, paused):
        for rows in desk.rows():
            take_back(rows, id, user_id=desk.user, why="It was another child.")
    desk.step(paused, "pause", Party.AUTHORITY, "a check has lapsed")  # as it is
    done = backups.put_back()
    assert (done.noes, done.redo) == (1, ())
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        assert [rows.match(id).state for id in (match, paused)] == [State.PROPOSED, State.PAUSED]
        why = session.scalars(select(tables.Decision.reason).where(tables.Decision.match_id == paused)).all()
        assert why == ["a check has lapsed"]
        assert not session.scalars(select(tables.Declined).where(tables.Declined.match_id == match)).all()


def test_whatever_was_noted_since_is_told_also_of_what_is_paused_or_over(service: Service, backups: Backups) -> None:
    """A pause and an ending are kept, and nobody records them again; the words of a note are not."""
    user, steps = service.users["north", Role.COORDINATOR], (("pause", "circumstances"), ("end", "other"))
    with service.database.read(service.north) as session:
        active = select(tables.Match.id).where(tables.Match.state == State.ACTIVE).order_by(tables.Match.id)
        matches = session.scalars(active.limit(2)).all()

    def noted(rows: Repository) -> None:
        for match, (step, reason) in zip(matches, steps, strict=True):
            take_step(rows, match, step, by=Party.CHILD, user_id=user, reason=reason)
            notes.add(rows, match, "He would like a rest.", by=Party.CHILD, on=today(), user_id=user)

    told = [line.partition(" UTC: ")[2] for line in put_back(service, backups, noted).redo]
    with service.database.read(service.north) as session:
        names = Repository(session, service.keys).references()
        pairs = [session.get_one(tables.Match, id) for id in matches]
        expected = [f"decision: noted {names[one.child_id]} with {names[one.volunteer_id]}" for one in pairs]
    assert [line.rpartition(", by ")[0] for line in told] == expected


@pytest.mark.parametrize("then", ["", "pause", "end"])
def test_a_no_that_the_backup_has_stays_though_it_was_taken_back_since(
    service: Service, backups: Backups, then: str
) -> None:
    """Somebody takes it back again. A match that went on from there and ended was one all the same."""
    desk = Desk(service)
    match = desk.propose()
    desk.step(match, "child_declines", Party.CHILD, "does not want this visitor")
    backups.make()
    for rows in desk.rows():
        take_back(rows, match, user_id=desk.user, why="It was another child.")
    if then:
        for step, by in WAY:
            desk.step(match, step, by)
        desk.step(match, then, Party.AUTHORITY, "circumstances" if then == "pause" else "other")
    done = backups.put_back()
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        pair = f"{rows.child(desk.child).reference} with {rows.volunteer(desk.volunteer).reference}"
        row = rows.match(match)
        assert (row.state, row.place) == (State.ENDED if then == "end" else State.DECLINED, None)
        assert session.scalars(select(tables.Declined).where(tables.Declined.match_id == match)).one()
    told = [line.partition(" UTC: ")[2].rpartition(", by ")[0] for line in done.redo]
    way = {"": [], "pause": [*(step for step, _ in WAY), "pause"], "end": []}[then]
    assert [line.partition(f" {pair}")[0] for line in told if line.startswith("decision")] == [
        *(["decision: taken_back"] if then != "end" else []), *(f"decision: {step}" for step in way),
    ]  # fmt: skip
    assert done.noes == (then == "end")
    assert f"decision: taken_back {pair} (taken_back: child_declines)" in told or then == "end"


def test_an_erasure_of_whom_came_back_since_is_told(service: Service, backups: Backups) -> None:
    child, _ = service.eligible_pair()
    user, manager = service.users["north", Role.COORDINATOR], service.users["north", Role.MANAGER]

    def came_back(rows: Repository) -> None:
        names.append(rows.child(child).reference)
        privacy.erase_child(rows, rows.child(child), user_id=manager, reason="asked to be erased")
        people.add_child(rows, names[0], {}, None, user_id=user)

    names: list[str] = []
    told = [line.partition(" UTC: ")[2] for line in put_back(service, backups, came_back).redo]
    assert [line.rpartition(", by ")[0] for line in told] == [
        f"erase child {names[0]} asked to be erased",
        f"add child {names[0]}",
    ]


@pytest.mark.parametrize(("begun", "then"), [(0, "end"), (5, "pause"), (0, "")])
def test_money_that_no_appointment_commits_again_is_told(
    service: Service, backups: Backups, begun: int, then: str
) -> None:
    """What is over or paused is carried over, and nobody appoints again: then the list has what that committed."""
    council, (one, _) = paid_by_one(service)
    desk, spent = Desk(service), select(tables.Budget.spent_pence)
    backups.make()
    match = desk.propose(one.child, one.volunteer)
    for number, (step, by) in enumerate(WAY):
        if begun and number == begun:
            backups.make()
        desk.step(match, step, by)
    if then:
        desk.step(match, then, Party.AUTHORITY, "circumstances" if then == "pause" else "other")
    with service.database.read(service.north) as session:
        pence = session.scalars(spent.where(tables.Budget.code == council)).one()
        names = Repository(session, service.keys).references()
    redo = backups.put_back().redo
    told = [line.partition(" UTC: ")[2].rpartition(", by ")[0] for line in redo]
    pair = f"{names[one.child]} with {names[one.volunteer]}"
    if then:
        assert told == [f"commit budget {pair} (code: {council}, pence: {pence})"]
    else:
        assert [line.partition(f" {pair}")[0] for line in told] == [
            f"decision: {step}" for step in ("propose", *(step for step, _ in WAY))
        ]
    with service.database.read(service.north) as session:
        assert session.scalars(spent.where(tables.Budget.code == council)).one() == 0

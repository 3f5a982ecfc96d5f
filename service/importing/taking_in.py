"""Does what was told: adds and changes rows, whole or not at all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import date

from sqlalchemy import select

from matcher import records
from matcher.errors import InputError, Problem
from matcher.instance import Instance
from matcher.policy import Policy
from matcher.readers import Reading
from matcher.reading.sheets import CHILDREN, VOLUNTEERS
from matcher.records import MatchStatus, Party, Status
from service import audit_log, budgets, organisations, people, runs, standing, steps
from service.database import tables
from service.database.base import utc_now
from service.families import move, settle
from service.importing.echo import Changed, Weaker
from service.importing.here import Here, differing, ends, redated, said_of_families
from service.importing.looking import look_beside, still_held, still_stopped
from service.repository import Repository
from service.workflow import LIVE, State, review_due

REASONS = (
    "first files", "new referrals", "new or changed volunteers", "regular update", "corrections", "other",
)  # fmt: skip
"""Why somebody takes files in, as the page asks it."""

FIRST_STATE = {
    MatchStatus.PROPOSED: State.PROPOSED,
    MatchStatus.AGREED: State.AGREED,
    MatchStatus.CURRENT: State.ACTIVE,
    MatchStatus.ENDED: State.ENDED,
}


def take_in(
    rows: Repository,
    reading: Reading,
    as_of: date,
    *,
    user_id: str | None,
    confirmed: Collection[str] | None = None,
    reason: str = "",
    note: str | None = None,
) -> tables.ImportBatch:
    """Adds and changes what a folder of files holds, whole or not at all; and asks for a run where a person does it.

    Args:
        user_id: whose import it is; None for the command line, which may add but weakens nothing.
        confirmed: keys of the safeguards that may weaken; None takes in the first files of an empty Kith.
        reason: one of REASONS, or "" where nobody was asked. `note` is what they wrote beside it, and is sealed.

    Raises:
        InputError: for files that have problems; for what the rules of the database forbid: two live matches of a
            child, more children than a volunteer may have, a live match of a child who said no; for a safeguard that
            would weaken and is not confirmed; for more of those than a person reads.
    """
    rows.take_turn()
    policy = rows.policy()[1]
    given = reading.instance(policy, as_of)
    here = Here(rows, reading)
    echo = look_beside(here, given, policy)
    if echo.too_many and confirmed is not None:
        raise InputError(
            f"{len(echo.weaker)} safeguards would weaken. So many at once are usually the wrong file, or a column that "
            "is read as another. Look at the columns again, or send the rows in smaller parts."
        )
    if confirmed is None and (stopped := [*still_stopped(here)]):
        raise InputError(f"{len(stopped)} volunteers are stopped for a concern, and the files say otherwise.", stopped)
    if confirmed is None and (held := [*still_held(here)]):
        raise InputError(f"{len(held)} children are held for a safeguarding issue, and the files say otherwise.", held)
    loosened = [one for one in echo.weaker if one.key not in (confirmed or ())]
    if confirmed is None:
        loosened = [one for one in loosened if not one.adds or (one.sheet == "matches" and one.reference)]
    if loosened:
        problems = [Problem(one.sheet, 0, one.field, one.reference, one.sentence.rstrip("."),
                            "Confirm it by itself, or correct the file") for one in loosened]  # fmt: skip
        raise InputError(f"{len(loosened)} safeguards would weaken, and nobody confirmed it.", problems)
    counts = dict(echo.new)
    for one in echo.changed:
        counts[f"{one.sheet} changed"] = counts.get(f"{one.sheet} changed", 0) + 1
    batch = tables.ImportBatch(user_id=user_id, rows=counts, given=dict(reading.given), reason=reason)
    rows.seal(batch, "note", note)
    rows.session.add(batch)
    doing = _Import(here, given, policy, user_id)
    doing.run()
    named = organisations.list_named(rows, (name for child in given.children for name in child.provider or ()))
    rows.session.flush()
    weaker = [one for one in echo.weaker if one.key in (confirmed or ())]
    entries = [*doing.decided, *_of_each(echo.changed, weaker, batch.id, user_id or audit_log.COMMAND)]
    if user_id is not None:
        concerned = doing.ids_of(weaker)
        said = {"weakened": len(weaker), "confirmed": [f"{one.sheet} {one.field}: {one.key}" for one in weaker]}
        said |= {"concerned": concerned, "break the rule": doing.apart_no_more}
        said |= {"organisations": named} if named else {}
        entries.append(audit_log.Entry(user_id, "import", batch.id, reason, {**counts, **said}))
    if entries:
        audit_log.record_all(rows.session, rows.keys, entries)
    if user_id is not None:
        runs.ask_for(rows.session, batch.authority_id, "files taken in", user_id=user_id)
    return batch


def _of_each(
    changed: Collection[Changed], weaker: Collection[Weaker], batch: str, actor: str
) -> Iterator[audit_log.Entry]:  # fmt: skip
    """An entry for each child and volunteer of whom something changed: which fields, and what was confirmed of them."""
    confirmed: dict[tuple[str, str], list[str]] = defaultdict(list)
    for safeguard in weaker:
        confirmed[safeguard.sheet, safeguard.reference].append(f"{safeguard.field}: {safeguard.key}")
    for one in changed:
        if one.sheet not in people.CODES:
            continue
        details: dict[str, object] = {"import": batch, "fields": sorted(one.fields)}
        for change in one.changes:
            if change.field in people.CODES[one.sheet]:
                details |= audit_log.told_codes(change.field, change.before, change.after)
        if keys := confirmed[one.sheet, one.reference]:
            details["weakened"] = keys
        word = "child" if one.sheet == CHILDREN.name else "volunteer"
        yield audit_log.Entry(actor, f"import: change {word}", one.id, details=details)


class _Import:
    """One import, step by step; each step needs the rows of the one before."""

    def __init__(self, here: Here, given: Instance, policy: Policy, user_id: str | None) -> None:
        self.here, self.rows, self.session, self.reading = here, here.rows, here.rows.session, here.reading
        self.given, self.policy, self.user_id = given, policy, user_id
        self.decided: list[audit_log.Entry] = []
        """What is to be entered of the matches that were taken in live."""
        self.apart_no_more: list[str] = []
        """Ids of live matches that break the rule for siblings, as files tell who is one."""
        self._ids: dict[str, str] = {}

    def ids_of(self, weaker: Iterable[Weaker]) -> list[str]:
        """Ids of the children and volunteers of whom safeguards speak, so far as they are people."""
        named = [name for one in weaker for name in (*one.children, *one.reference.split(" and "))]
        return list(dict.fromkeys(self._ids[name] for name in named if name in self._ids))

    def run(self) -> None:
        self._end_matches()
        children, family_of = self._children()
        volunteers, fallen = self._volunteers(children)
        self._ids = {reference: row.id for people in (volunteers, children) for reference, row in people.items()}
        for no in self.given.declined:
            if not self.here.declined(no):
                declined = tables.Declined(
                    child_id=children[no.child].id, volunteer_id=volunteers[no.volunteer].id, said_by=no.by,
                    declined_on=no.declined_on,
                )  # fmt: skip
                self.rows.seal(declined, "reason", no.reason)
                self.session.add(declined)
        for one in self.given.exceptions:
            if not self.here.exception(one):
                exception = tables.RecordedException(
                    kind=one.kind, volunteer_id=volunteers[one.volunteer].id, value=one.value,
                    approved_on=one.approved_on, child_id=children[one.child].id if one.child else None,
                    user_id=self.user_id,
                )  # fmt: skip
                self.rows.seal(exception, "reason", one.reason)
                self.rows.seal(exception, "approved_by", one.approved_by)
                self.session.add(exception)
        self._budgets()
        self.session.flush()
        self.rows.set_capacities(self.policy)
        self.session.flush()
        self._matches(children, volunteers, family_of)
        self.session.flush()
        if fallen and self.user_id is None:
            raise InputError(f"{len(fallen)} volunteers would be stopped, or approved no more. A person records that.")
        for volunteer, status in fallen:
            standing.bring_up(self.rows, volunteer.id, status, "other", user_id=self.user_id or "")

    def _budgets(self) -> None:
        """A file tells both figures anew: what Kith has added to the one before is part of what it tells, or is not."""
        for code, budget in self.given.authorities.items():
            row = self.here.budgets.get(code)
            before = None if row is None else (row.budget_pence, row.spent_pence)
            if row is None:
                row = tables.Budget(**asdict(budget))
                self.session.add(row)
                self.session.flush()  # which gives it an id
            else:
                row.budget_pence, row.spent_pence = budget.budget_pence, budget.spent_pence
            if before != (row.budget_pence, row.spent_pence):
                by = self.user_id or audit_log.COMMAND
                self.decided.append(audit_log.Entry(by, budgets.BY_FILE, row.id, details={"code": code}))

    def _end_matches(self) -> None:
        for match in self.given.matches:
            row = self.here.match(match)
            if row is None:
                continue
            if dates := redated(row, match):
                for name, said in dates.items():
                    setattr(row, name, said)
                self.decided.append(
                    audit_log.Entry(
                        self.user_id or audit_log.COMMAND, "import: change match", row.id, details={"fields": [*dates]}
                    )
                )
            if ends(row, match):
                by = match.ended_by or Party.AUTHORITY
                if self.user_id is None:  # a decision in the story is somebody's
                    details = {"by": by, **({"on": match.ended_on.isoformat()} if match.ended_on else {})}
                    self.decided.append(
                        audit_log.Entry(audit_log.COMMAND, "import: end match", row.id, details=details)
                    )
                steps.end_by_file(self.rows, row, by=by, ended_on=match.ended_on, user_id=self.user_id)

    def _children(self) -> tuple[dict[str, tables.Child], dict[str, tables.Family]]:
        """The rows of all children who are named, by reference: those with a referral and those in histories."""
        given = self.given
        named = [match.child for match in given.matches] + [no.child for no in given.declined]
        named += [one.child for one in given.exceptions if one.child]
        named += [child for volunteer in given.volunteers for child in volunteer.known_children or ()]
        there = dict(self.here.children)
        facts = {child.id: child for child in given.children}
        families = self._families(dict.fromkeys([*facts, *named]))
        for reference in dict.fromkeys([*facts, *named]):
            row = there.get(reference)
            if row is None:
                row = tables.Child(reference=reference, family_id=families[reference].id, referral=False)
                self.rows.write_child(row, records.Child(""))
                self.session.add(row)
                there[reference] = row
            if row.once:
                self.rows.known_again(row, reference)
            if reference in facts:
                before = self.here.record(CHILDREN.name, reference)
                after = facts[reference]
                after = after if before is None else self.here.kept(CHILDREN.name, before, after)
                if before is None or not row.referral or any(differing(before, after)):
                    row.referral = True
                    self.rows.write_child(row, after)
        self.session.flush()
        families |= {reference: self.session.get_one(tables.Family, row.family_id) for reference, row in there.items()}
        return there, families

    def _families(self, children: Iterable[str]) -> dict[str, tables.Family]:
        """The family of each child: one row of all that are one by Kith and the files together."""
        here, groups = self.here, self.here.together(self.given)
        calls: dict[str, set[str]] = defaultdict(set)
        for child, word in said_of_families(self.given):
            calls[groups[word.casefold()]] |= {word.casefold(), child.casefold()}
        there: dict[str, dict[str, tables.Family]] = defaultdict(dict)
        for name, row in (*here.families.items(), *here.family_of.items()):
            there[groups[name.casefold()]][row.id] = row
        rows: dict[str, tables.Family] = {}
        for group, names in calls.items():
            found = [row for _, row in sorted(there[group].items())]
            row = rows[group] = self._joined(found) if found else tables.Family(known=True, references=[])
            if not row.known or names - set(row.references):
                row.known, row.references = True, sorted({*row.references, *names})
        of_child: dict[str, tables.Family] = {}
        for child in children:  # whoever is here already and of whom the files say nothing stays where they are
            said = rows.get(groups.get(child.casefold(), "")) or here.family_of.get(child)
            of_child[child] = said or here.families.get(child.casefold()) or tables.Family(known=False, references=[])
        self.session.add_all(of_child.values())
        self.session.flush()
        return of_child

    def _joined(self, families: list[tables.Family]) -> tables.Family:
        """One family of several that the file says are one."""
        kept, *others = families
        for family in others:
            for child in self.session.scalars(select(tables.Child).where(tables.Child.family_id == family.id)).all():
                move(self.rows, child, kept)
            kept.references = sorted({*kept.references, *family.references})
            family.known, family.references = False, []
        return kept

    def _volunteers(
        self, children: Mapping[str, tables.Child]
    ) -> tuple[dict[str, tables.Volunteer], list[tuple[tables.Volunteer, Status]]]:
        """The rows by reference, and those who were approved and are not any more, or who are stopped now."""
        rows = dict(self.here.volunteers)
        fallen = []
        for record in self.given.volunteers:
            row = rows.get(record.id)
            if row is not None and row.once:
                self.rows.known_again(row, record.id)
            before = self.here.record(VOLUNTEERS.name, record.id)
            after = record if before is None else self.here.kept(VOLUNTEERS.name, before, record)
            if row is None:
                row = tables.Volunteer(reference=record.id)
            elif not any(differing(before, after)):
                continue
            elif before.status is not after.status and after.status in standing.STOPPED:
                fallen.append((row, after.status))
            elif before.status is Status.APPROVED and after.status is not Status.APPROVED:
                fallen.append((row, after.status or Status.WITHDRAWN))
            knows = after.known_children
            ids = None if knows is None else tuple(children[child].id for child in knows)
            self.rows.write_volunteer(row, replace(after, known_children=ids))
            self.session.add(row)
            rows[record.id] = row
        self.session.flush()
        return rows, fallen

    def _matches(
        self,
        children: Mapping[str, tables.Child],
        volunteers: Mapping[str, tables.Volunteer],
        family_of: Mapping[str, tables.Family],
    ) -> None:
        taken: dict[str, set[int | None]] = defaultdict(set)
        seen: set[tuple[str, str]] = set()
        live: list[tables.Match] = []
        for row in self.session.scalars(select(tables.Match)):
            if State(row.state) in LIVE:
                taken[row.volunteer_id].add(row.place)
            if State(row.state) in (*LIVE, State.ENDED) and not row.irregular:
                seen.add((row.volunteer_id, row.family_id))
        for match in sorted(self.given.matches, key=lambda one: one.status is MatchStatus.ENDED):
            if self.here.match(match) is not None:
                continue
            volunteer, state = volunteers[match.volunteer], FIRST_STATE[match.status]
            shared = volunteer.id, family_of[match.child].id
            places = taken[volunteer.id]
            place = next(n for n in range(len(places) + 1) if n not in places) if state in LIVE else None
            places.add(place)
            row = tables.Match(
                child_id=children[match.child].id, family_id=shared[1], child_objects=children[match.child].objects,
                volunteer_id=volunteer.id, capacity=volunteer.capacity, state=state, started_on=match.started_on,
                ended_on=match.ended_on, over_by=match.ended_by, irregular=shared in seen, place=place,
                next_review_on=review_due(match.started_on, self.given.as_of) if state is State.ACTIVE else None,
                since=utc_now(),
            )  # fmt: skip
            self.rows.name_coordinator(row, match.coordinator)
            seen.add(shared)
            self.session.add(row)
            if state in LIVE:
                live.append(row)
        self.session.flush()
        self.apart_no_more = settle(self.rows, {family.id for family in family_of.values()})
        self._decided(live)

    def _decided(self, live: Iterable[tables.Match]) -> None:
        """Enters into the story of each match that is taken in live who did that; the command line is nobody."""
        for row in live if self.user_id is not None else ():
            self.session.add(
                tables.Decision(
                    match_id=row.id, number=1, step=steps.TAKEN_IN, state=row.state, said_by=Party.AUTHORITY,
                    user_id=self.user_id, at=row.since,
                )
            )  # fmt: skip
            details = {"state": row.state, "by": Party.AUTHORITY}
            self.decided.append(
                audit_log.Entry(self.user_id or "", f"decision: {steps.TAKEN_IN}", row.id, details=details)
            )

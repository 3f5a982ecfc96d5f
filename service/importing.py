"""Files -> rows: what is new is added, what is here already is changed, whole or not at all.

`look` tells beforehand what would change, without changing it: every field by name, and apart from the rest each
safeguard that would weaken, which somebody then confirms one by one. Nothing is ever removed by being left out of a
file, and no column that a file does not have is touched. What has a story in Kith – a proposal on its way, a child's no
while a match is live – is not rewritten by a file: such a row is refused, and says where to record it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date
from typing import Any

from sqlalchemy import select

from matcher import records
from matcher.errors import InputError, Problem
from matcher.instance import Instance
from matcher.policy import Policy
from matcher.readers import Reading
from matcher.reading.sheets import CHILDREN, VOLUNTEERS
from matcher.records import Agreement, ExceptionKind, MatchStatus, Party, Status, Strength
from service import people, proposals
from service.database import tables
from service.repository import Repository
from service.workflow import APPOINTED, LIVE, MATCH_STATUS, State

FIRST_STATE = {
    MatchStatus.PROPOSED: State.PROPOSED,
    MatchStatus.AGREED: State.AGREED,
    MatchStatus.CURRENT: State.ACTIVE,
    MatchStatus.ENDED: State.ENDED,
}


# ---- what an import would do -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Changed:
    """One record that is here already: the fields of which the file says something else."""

    sheet: str
    reference: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Weaker:
    """A safeguard that the file would take away, and the key by which somebody says that it may."""

    sheet: str
    reference: str
    field: str
    sentence: str

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{self.sheet}|{self.reference}|{self.field}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Echo:
    """What an import would do, in references and names of fields. Nothing of it is done yet."""

    new: Mapping[str, int]
    changed: tuple[Changed, ...]
    weaker: tuple[Weaker, ...]
    same: Mapping[str, int]


def look(rows: Repository, reading: Reading, as_of: date) -> Echo:
    """Raises InputError with every problem of the files, and of what they say beside what is here."""
    policy = rows.policy()[1]
    given = reading.instance(policy, as_of)
    here = _Here(rows)
    problems = tuple(_wrong(here, given, policy))
    if problems:
        raise InputError(f"{len(problems)} problems have to be mended first: {problems[0]}", problems)
    new: dict[str, int] = defaultdict(int)
    same: dict[str, int] = defaultdict(int)
    changed: list[Changed] = []
    weaker: list[Weaker] = []
    joined = here.joined(given)
    for sheet, after in _records(given):
        before = here.record(sheet, after.id)
        if before is None:
            new[sheet] += 1
            continue
        after = here.kept(reading, sheet, before, after)
        family = ("family",) if sheet == CHILDREN.name and after.id in joined else ()
        differing = (*_differing(before, after), *family)
        if differing:
            changed.append(Changed(sheet, after.id, differing))
            weaker += (Weaker(sheet, after.id, name, sentence) for name, sentence in _weaker(sheet, before, after))
        else:
            same[sheet] += 1
    for match in given.matches:
        row = here.match(match)
        if row is None:
            new["matches"] += 1
        elif _ends(row, match):
            changed.append(Changed("matches", f"{match.child} and {match.volunteer}", ("status",)))
        else:
            same["matches"] += 1
    for no in given.declined:
        (same if here.declined(no) else new)["declined"] += 1
    for one in given.exceptions:
        there = here.exception(one)
        (same if there else new)["exceptions"] += 1
        if not there:
            who = " and ".join(filter(None, (one.volunteer, one.child)))
            weaker.append(Weaker("exceptions", who, one.kind, f"would allow {one.kind}, which a manager approves."))
    for code, budget in given.authorities.items():
        known = here.budgets.get(code)
        if known is None:
            new["authorities"] += 1
        elif (known.budget_pence, known.spent_pence) != (budget.budget_pence, budget.spent_pence):
            changed.append(Changed("authorities", code, ("budget_pence", "spent_pence")))
            weaker.append(Weaker("authorities", code, "budget_pence", "would change, and a manager approves budgets."))
        else:
            same["authorities"] += 1
    return Echo(dict(new), tuple(changed), tuple(weaker), dict(same))


def take_in(
    rows: Repository, reading: Reading, as_of: date, *, user_id: str | None, confirmed: Collection[str] | None = None
) -> tables.ImportBatch:
    """Adds and changes what a folder of files holds, whole or not at all.

    Args:
        user_id: whose import it is; None for the command line, which may add but weakens nothing.
        confirmed: keys of the safeguards that may weaken; None takes in the first files of an empty Kith.

    Raises:
        InputError: for files that have problems; for what the rules of the database forbid: two live matches of a
            child, more children than a volunteer may have, a live match of a child who said no; for a safeguard that
            would weaken and is not confirmed.
    """
    policy = rows.policy()[1]
    echo = look(rows, reading, as_of)
    loosened = [one for one in echo.weaker if one.key not in (confirmed or ())]
    if confirmed is None:
        loosened = [one for one in loosened if one.sheet != "exceptions"]
    if loosened:
        problems = [Problem(one.sheet, 0, one.field, one.reference, one.sentence.rstrip("."),
                            "Confirm it by itself, or correct the file") for one in loosened]  # fmt: skip
        raise InputError(f"{len(loosened)} safeguards would weaken, and nobody confirmed it.", problems)
    given = reading.instance(policy, as_of)
    counts = dict(echo.new)
    for one in echo.changed:
        counts[f"{one.sheet} changed"] = counts.get(f"{one.sheet} changed", 0) + 1
    batch = tables.ImportBatch(user_id=user_id, rows=counts)
    rows.session.add(batch)
    _Import(rows, reading, given, policy, user_id).run()
    return batch


# ---- what is here already --------------------------------------------------------------------------------------------


@dataclass
class _Here:
    """What Kith holds, by the council's references."""

    rows: Repository
    children: dict[str, tables.Child] = field(init=False)
    volunteers: dict[str, tables.Volunteer] = field(init=False)
    budgets: dict[str, tables.Budget] = field(init=False)
    matches: dict[tuple[str, str], tables.Match] = field(init=False)

    def __post_init__(self) -> None:
        session = self.rows.session
        self.children = {row.reference: row for row in session.scalars(select(tables.Child))}
        self.volunteers = {row.reference: row for row in session.scalars(select(tables.Volunteer))}
        self.budgets = {row.code: row for row in session.scalars(select(tables.Budget))}
        self.named = {row.id: name for name, row in self.children.items()}
        self.named |= {row.id: name for name, row in self.volunteers.items()}
        ordered = session.scalars(select(tables.Match).order_by(tables.Match.created_at, tables.Match.id)).all()
        live_last = sorted(ordered, key=lambda row: State(row.state) in LIVE)
        self.matches = {(self.named[row.child_id], self.named[row.volunteer_id]): row for row in live_last}
        self._nos = {(row.child_id, row.volunteer_id) for row in session.scalars(select(tables.Declined))}
        self._exceptions = {
            (row.kind, row.volunteer_id, row.child_id, row.value)
            for row in session.scalars(select(tables.RecordedException))
        }

    def record(self, sheet: str, reference: str) -> Any:
        """The record as it is here, under the council's reference; None if it is not."""
        if sheet == CHILDREN.name:
            child = self.children.get(reference)
            if child is None or not child.referral:
                return None
            return replace(self.rows.child_record(child, family_known=False), id=reference)
        volunteer = self.volunteers.get(reference)
        if volunteer is None:
            return None
        record = replace(self.rows.volunteer_record(volunteer), id=reference)
        knows = record.known_children
        return replace(record, known_children=None if knows is None else tuple(self.named.get(id, id) for id in knows))

    def kept(self, reading: Reading, sheet: str, before: Any, after: Any) -> Any:
        """The record of the file, with what is known where the file has no such column. Families only ever join."""
        description = CHILDREN if sheet == CHILDREN.name else VOLUNTEERS
        there = reading.columns.get(sheet)
        absent = {column.to for column in description.columns if there is not None and column.name not in there}
        if sheet == CHILDREN.name:
            absent |= {"family"}
            if after.placement != before.placement:
                absent -= {"placement_council"}
            if "requested_gender" not in absent and after.requested_gender != before.requested_gender:
                absent -= {"requested_gender_strength"}
        return replace(after, **{name: getattr(before, name) for name in absent})

    def joined(self, given: Instance) -> set[str]:
        """Children who would have siblings, or none, that Kith does not know of."""
        known = set(self.rows.session.scalars(select(tables.Family.id).where(tables.Family.known)))
        groups: dict[str, list[str]] = defaultdict(list)
        for reference, group in given.family_of.items():
            if reference in self.children:
                groups[group].append(reference)
        families = {name: {self.children[child].family_id for child in group} for name, group in groups.items()}
        new = [name for name, ids in families.items() if len(ids) > 1 or not ids <= known]
        return {child for name in new for child in groups[name]}

    def match(self, match: records.Match) -> tables.Match | None:
        return self.matches.get((match.child, match.volunteer))

    def declined(self, no: records.Declined) -> bool:
        return self._pair(no.child, no.volunteer) in self._nos

    def exception(self, one: records.RecordedException) -> bool:
        child, volunteer = self._pair(one.child, one.volunteer)
        return (one.kind, volunteer, child, one.value) in self._exceptions

    def _pair(self, child: str | None, volunteer: str) -> tuple[str | None, str | None]:
        known_child, known = self.children.get(child or ""), self.volunteers.get(volunteer)
        return known_child.id if known_child else None, known.id if known else None


def _records(given: Instance) -> Iterator[tuple[str, Any]]:
    yield from ((CHILDREN.name, child) for child in given.children)
    yield from ((VOLUNTEERS.name, volunteer) for volunteer in given.volunteers)


def _differing(before: Any, after: Any) -> Iterator[str]:
    for one in fields(before):
        if one.name not in ("id", "family") and getattr(before, one.name) != getattr(after, one.name):
            yield one.name


def _ends(row: tables.Match, match: records.Match) -> bool:
    return match.status is MatchStatus.ENDED and State(row.state) in APPOINTED


# ---- what would weaken -----------------------------------------------------------------------------------------------

_Test = Callable[[Any, Any], bool]


def _no_longer(value: Any) -> _Test:
    return lambda before, after: before == value and after != value


def _lost(before: Any, after: Any) -> bool:
    return bool(set(before or ()) - set(after or ()))


def _overturned(before: Any, after: Any) -> bool:
    return before is False and after is True


def _widened(before: Any, after: Any) -> bool:
    return bool(before) and (not after or bool(set(after) - set(before)))


_WEAKER: dict[str, dict[str, tuple[_Test, str]]] = {
    CHILDREN.name: {
        "agrees": (_no_longer(Agreement.NO), "said no to any visitor, and the file says otherwise."),
        "safeguarding_issue": (_no_longer(True), "had a safeguarding issue unresolved."),
        "placement_move_pending": (_no_longer(True), "was about to move placement."),
        "manager_approved": (_overturned, "was not approved by the manager."),
        "funding_agreed": (_overturned, "had no funding agreed."),
        "looked_after": (_overturned, "was no longer looked after."),
        "continuing_agreed": (_overturned, "had no agreement to go on after care."),
        "additional_needs": (_lost, "would lose an additional need."),
        "provider": (_lost, "would lose the organisation that accommodates them."),
        "needed_languages": (_widened, "would be content with other languages."),
        "requested_gender_strength": (_no_longer(Strength.ESSENTIAL), "asked for a gender as essential."),
        "culture_request": (_no_longer(Strength.ESSENTIAL), "asked for like culture as essential."),
        "religion_request": (_no_longer(Strength.ESSENTIAL), "asked for like religion as essential."),
    },
    VOLUNTEERS.name: {
        "status": (
            lambda before, after: after == Status.APPROVED
            and before in (Status.SUSPENDED, Status.WITHDRAWN, Status.RESIGNED),
            "was suspended, withdrawn or resigned, and would be approved.",
        ),
        "known_children": (_lost, "would no longer be known to a child."),
        "organisations": (_lost, "would no longer belong to an organisation."),
        "connected_authorities": (_lost, "would no longer be connected with a council."),
        "medical_condition": (_no_longer(True), "had declared a medical condition."),
        "right_to_work": (_overturned, "had no right to work."),
        "household": (lambda before, after: before is not None and after != before, "would leave a shared household."),
    },
}  # fmt: skip
"""By sheet and field: when a change takes a safeguard away, and what is told of the person."""


def _weaker(sheet: str, before: Any, after: Any) -> Iterator[tuple[str, str]]:
    for name, (weakens, sentence) in _WEAKER[sheet].items():
        if weakens(getattr(before, name), getattr(after, name)):
            yield name, sentence
    essential = sheet == CHILDREN.name and before.requested_gender_strength is Strength.ESSENTIAL
    if essential and before.requested_gender not in (None, after.requested_gender):
        yield "requested_gender", "asked for another gender as essential."


# ---- what cannot stand -----------------------------------------------------------------------------------------------


def _wrong(here: _Here, given: Instance, policy: Policy) -> Iterable[Problem]:
    most: dict[str, int] = defaultdict(lambda: policy.number("constraints.capacity.children"))
    for row in here.volunteers.values():
        most[row.reference] = max(most[row.reference], row.capacity)
    for one in given.exceptions:
        if one.kind is ExceptionKind.SECOND_CHILD:
            most[one.volunteer] = max(most[one.volunteer], one.value or 2)
    objects = {child.id for child in given.children if child.agrees is Agreement.NO}
    of_child: dict[str, int] = defaultdict(int)
    of_volunteer: dict[str, int] = defaultdict(int)
    ending = {(match.child, match.volunteer) for match in given.matches if match.status is MatchStatus.ENDED}
    for (child, volunteer), known in here.matches.items():
        if State(known.state) in LIVE and not (State(known.state) in APPOINTED and (child, volunteer) in ending):
            of_child[child] += 1
            of_volunteer[volunteer] += 1
    for row_number, child_record in enumerate(given.children, start=1):
        if child_record.id in objects and of_child[child_record.id]:
            yield Problem("children", row_number, "agrees", child_record.id, "says no, and has a live match in Kith",
                          "Record the child's no in Kith first: it ends the match")  # fmt: skip
    for row_number, no in enumerate(given.declined, start=1):
        known_match = here.matches.get((no.child, no.volunteer))
        if known_match is not None and State(known_match.state) in LIVE:
            yield Problem("declined", row_number, "", no.child, f"is {known_match.state} with {no.volunteer} in Kith",
                          "Record the no in Kith: it ends the proposal")  # fmt: skip
    for row_number, match in enumerate(given.matches, start=1):
        known_match = here.match(match)
        if known_match is not None:
            status = MATCH_STATUS[State(known_match.state)]
            if status is not match.status and not _ends(known_match, match):
                yield Problem("matches", row_number, "status", match.child,
                              f"is {match.status} here, and {known_match.state} in Kith",
                              "Record what happened in Kith, or correct the row")  # fmt: skip
            continue
        if match.status is MatchStatus.ENDED:
            continue
        of_child[match.child] += 1
        of_volunteer[match.volunteer] += 1
        stored = here.children.get(match.child)
        if match.child in objects or (stored is not None and stored.objects):
            yield Problem("matches", row_number, "", match.child, f"said no, and a match is {match.status}",
                          "End the match, or correct what the child said")  # fmt: skip
        if of_child[match.child] > 1:
            yield Problem("matches", row_number, "", match.child, "has two matches proposed, agreed or current",
                          "End the one that is over")  # fmt: skip
        if of_volunteer[match.volunteer] > most[match.volunteer]:
            yield Problem("matches", row_number, "", match.volunteer,
                          f"has more children than the {most[match.volunteer]} allowed",
                          "Record the exception for a second child, or end what is over")  # fmt: skip


# ---- doing it --------------------------------------------------------------------------------------------------------


class _Import:
    """One import, step by step; each step needs the rows of the one before."""

    def __init__(
        self, rows: Repository, reading: Reading, given: Instance, policy: Policy, user_id: str | None
    ) -> None:
        self.rows, self.session, self.reading = rows, rows.session, reading
        self.given, self.policy, self.user_id = given, policy, user_id
        self.here = _Here(rows)

    def run(self) -> None:
        self._end_matches()
        children, family_of = self._children()
        volunteers, fallen = self._volunteers(children)
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
        for code, budget in self.given.authorities.items():
            known = self.here.budgets.get(code)
            if known is None:
                self.session.add(tables.Budget(**asdict(budget)))
            else:
                known.budget_pence, known.spent_pence = budget.budget_pence, budget.spent_pence
        self.session.flush()
        self.rows.set_capacities(self.policy)
        self.session.flush()
        self._matches(children, volunteers, family_of)
        self.session.flush()
        if fallen and self.user_id is None:
            raise InputError(f"{len(fallen)} volunteers would not be approved any more. A person records that in Kith.")
        for volunteer, status in fallen:
            people.bring_up(self.rows, volunteer.id, status, user_id=self.user_id or "")

    def _end_matches(self) -> None:
        for match in self.given.matches:
            row = self.here.match(match)
            if row is not None and _ends(row, match):
                by = match.ended_by or Party.AUTHORITY
                proposals.end_by_file(self.rows, row, by=by, ended_on=match.ended_on, user_id=self.user_id)

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
            elif given.family_of.get(reference) is not None:
                people.move(self.rows, row, families[reference])
            if reference in facts:
                before = self.here.record(CHILDREN.name, reference)
                after = facts[reference]
                after = after if before is None else self.here.kept(self.reading, CHILDREN.name, before, after)
                if before is None or any(_differing(before, after)):
                    row.referral = True
                    self.rows.write_child(row, after)
        self.session.flush()
        families |= {reference: self.session.get_one(tables.Family, row.family_id) for reference, row in there.items()}
        return there, families

    def _families(self, children: Iterable[str]) -> dict[str, tables.Family]:
        given = self.given
        calls: dict[str, set[str]] = defaultdict(set)
        recorded = [(child.id, child.family) for child in given.children]
        for child, family in [*recorded, *((match.child, match.family) for match in given.matches)]:
            if family is not None:
                calls[given.family_of[child]] |= {family.casefold(), child.casefold()}
        known = {name: row for row in self.session.scalars(select(tables.Family)) for name in row.references}
        rows: dict[str, tables.Family] = {}
        of_child: dict[str, tables.Family] = {}
        for child in children:
            group = given.family_of.get(child)
            if group is None:
                of_child[child] = known.get(child.casefold()) or tables.Family(known=False, references=[])
                continue
            names = sorted(calls[group])
            if group not in rows:
                found = list({known[name].id: known[name] for name in names if name in known}.values())
                rows[group] = self._joined(found) if found else tables.Family(known=True, references=[])
            row = rows[group]
            if not row.known or set(names) - set(row.references):
                row.known, row.references = True, sorted({*row.references, *names})
            of_child[child] = row
        # Whoever is here already and of whom the file says nothing stays where they are.
        fresh = {id(row): row for child, row in of_child.items()
                 if child not in self.here.children or given.family_of.get(child) is not None}  # fmt: skip
        self.session.add_all(fresh.values())
        self.session.flush()
        return of_child

    def _joined(self, families: list[tables.Family]) -> tables.Family:
        """One family of several that the file says are one."""
        kept, *others = families
        for family in others:
            for child in self.session.scalars(select(tables.Child).where(tables.Child.family_id == family.id)).all():
                people.move(self.rows, child, kept)
            kept.references = sorted({*kept.references, *family.references})
            family.known, family.references = False, []
        return kept

    def _volunteers(
        self, children: Mapping[str, tables.Child]
    ) -> tuple[dict[str, tables.Volunteer], list[tuple[tables.Volunteer, Status]]]:
        """The rows by reference, and those who were approved and are not any more."""
        rows = dict(self.here.volunteers)
        fallen = []
        for record in self.given.volunteers:
            row = rows.get(record.id)
            before = self.here.record(VOLUNTEERS.name, record.id)
            after = record if before is None else self.here.kept(self.reading, VOLUNTEERS.name, before, record)
            if row is None:
                row = tables.Volunteer(reference=record.id)
            elif not any(_differing(before, after)):
                continue
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
                ended_on=match.ended_on, over_by=match.ended_by, coordinator=match.coordinator,
                irregular=shared in seen, place=place,
            )  # fmt: skip
            seen.add(shared)
            self.session.add(row)

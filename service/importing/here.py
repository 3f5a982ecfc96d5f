"""What Kith holds already, by the council's references, and what a file says beside it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import date
from functools import cached_property
from typing import Any

from sqlalchemy import select

from matcher import records
from matcher.instance import Instance, families
from matcher.readers import Reading
from matcher.reading.sheets import CHILDREN, VOLUNTEERS, Sheet
from matcher.records import MatchStatus, Party
from service import holds, standing
from service.database import tables
from service.reasons import ASKED_AGAIN_AFTER, FOR_SAFETY
from service.repository import Repository
from service.workflow import APPOINTED, LIVE, MATCH_STATUS, State


@dataclass
class Here:
    """What Kith holds, by the council's references."""

    rows: Repository
    reading: Reading
    """The files that are looked at beside it."""
    children: dict[str, tables.Child] = field(init=False)
    volunteers: dict[str, tables.Volunteer] = field(init=False)
    budgets: dict[str, tables.Budget] = field(init=False)
    matches: dict[tuple[str, str], tables.Match] = field(init=False)
    families: dict[str, tables.Family] = field(init=False)
    """By each word that files have for one, in small letters."""
    family_of: dict[str, tables.Family] = field(init=False)
    """Of each child who is here."""
    _records: dict[tuple[str, str], Any] = field(init=False, default_factory=dict)
    """What was opened so far: a file of thousands is held against them again and again."""

    def __post_init__(self) -> None:
        self._absent = {one.name: _absent(one, self.reading.columns.get(one.name)) for one in (CHILDREN, VOLUNTEERS)}
        session = self.rows.session
        self.children = {row.reference: row for row in session.scalars(select(tables.Child))}
        self.volunteers = {row.reference: row for row in session.scalars(select(tables.Volunteer))}
        self.budgets = {row.code: row for row in session.scalars(select(tables.Budget))}
        rows = {row.id: row for row in session.scalars(select(tables.Family))}
        self.families = {name: row for row in rows.values() for name in row.references}
        self._known_again()
        self.family_of = {reference: rows[row.family_id] for reference, row in self.children.items()}
        self.named = {row.id: name for name, row in self.children.items()}
        self.named |= {row.id: name for name, row in self.volunteers.items()}
        ordered = session.scalars(select(tables.Match).order_by(tables.Match.created_at, tables.Match.id)).all()
        live_last = sorted(ordered, key=lambda row: State(row.state) in LIVE)
        self.matches = {(self.named[row.child_id], self.named[row.volunteer_id]): row for row in live_last}
        asked_again = (row for row in ordered if row.reason in ASKED_AGAIN_AFTER)
        self.asked_again = {self.named[row.child_id]: row.reason in FOR_SAFETY for row in asked_again}
        """The children who were to be asked again, by the last match that says so; whether it was for their safety."""
        nos = session.scalars(select(tables.Declined)).all()
        self._nos = {(row.child_id, row.volunteer_id) for row in nos}
        self._childrens = {(row.child_id, row.volunteer_id) for row in nos if row.said_by == Party.CHILD}
        allowed = session.scalars(select(tables.RecordedException)).all()
        whom = {one.id: (one.kind, one.volunteer_id, one.child_id) for one in allowed}
        self._allowed = {(*whom[one.id], one.value) for one in allowed if one.withdrawn_on is None}
        self._withdrawn = {whom[one.id] for one in allowed if one.withdrawn_on is not None}

    def _known_again(self) -> None:
        """Who was erased and is named by the files, by the reference that the files have for them; and their families.

        A family is often called as one of its children.
        """
        of = self.reading.records
        between = [one for sheet in ("matches", "declined", "exceptions") for one in of[sheet]]
        named = {one.id for one in of["children"]} | {one.child for one in between if one.child}
        named |= {child for one in of["volunteers"] for child in one.known_children or ()}
        words = {one.family for sheet in ("children", "matches") for one in of[sheet] if one.family}
        once = {row.once: name for name, row in self.children.items() if row.once}
        if once:
            family_of = {key: self.children[name].family_id for key, name in once.items()}
            for word in words - self.families.keys():
                if (id := family_of.get(self.rows.once(word))) and word.casefold() not in self.families:
                    self.families[word.casefold()] = self.rows.session.get_one(tables.Family, id)
            for reference in named - self.children.keys():
                if name := once.pop(self.rows.once(reference), None):
                    self.children[reference] = self.children.pop(name)
        once = {row.once: name for name, row in self.volunteers.items() if row.once}
        if once:
            for reference in {one.id for one in of["volunteers"]} - self.volunteers.keys():
                if name := once.pop(self.rows.once(reference), None):
                    self.volunteers[reference] = self.volunteers.pop(name)

    def noes_of(self, id: str) -> int:
        """Of how many pairs of a child or a volunteer somebody said no."""
        return sum(id in pair for pair in self._nos)

    def record(self, sheet: str, reference: str) -> Any:
        """The record as it was here at first, under the council's reference; None if it was not."""
        key = sheet, reference
        if key not in self._records:
            self._records[key] = self._opened(sheet, reference)
        return self._records[key]

    def _opened(self, sheet: str, reference: str) -> Any:
        if sheet == CHILDREN.name:
            child = self.children.get(reference)
            if child is None:
                return None
            before = replace(self.rows.child_record(child, family_known=False), id=reference)
            # One who is named by a match or a refusal alone is new, unless something was recorded, such as their no.
            return before if child.referral or before != records.Child(reference) else None
        volunteer = self.volunteers.get(reference)
        if volunteer is None:
            return None
        record = replace(self.rows.volunteer_record(volunteer), id=reference)
        knows = record.known_children
        return replace(record, known_children=None if knows is None else tuple(self.named.get(id, id) for id in knows))

    def id_of(self, sheet: str, reference: str) -> str:
        """The opaque id of a child or a volunteer who is here; "" of one who is not."""
        row = (self.children if sheet == CHILDREN.name else self.volunteers).get(reference)
        return row.id if row else ""

    def kept(self, sheet: str, before: Any, after: Any) -> Any:
        """The record of the file, with what is known where the file has no such column. Families only ever join.

        And whoever a concern stopped stays so, and who is held: see `stays_stopped` and `stays_held`.
        """
        absent = self._absent[sheet]
        if sheet == VOLUNTEERS.name and self.stays_stopped(after):
            absent |= {"status"}
        if sheet == CHILDREN.name:
            absent |= {"family"} | ({holds.FACT} if self.stays_held(after) else set())
            if "placement" not in absent and after.placement != before.placement:
                absent -= {"placement_council"}
            if "requested_gender" not in absent and after.requested_gender != before.requested_gender:
                absent -= {"requested_gender_strength"}
        return replace(after, **{name: getattr(before, name) for name in absent})

    def stays_stopped(self, said: records.Volunteer) -> bool:
        """Whether a file says that somebody visits again whom a concern stopped: no file tells what was found of it."""
        row = self.volunteers.get(said.id)
        if row is None or row.id not in self._by_a_concern or "status" in self._absent[VOLUNTEERS.name]:
            return False
        return standing.needs_a_manager(row.status, said.status)

    def stays_held(self, said: records.Child) -> bool:
        """Whether a file says that a safeguarding issue is resolved, or says nothing of it where it has the column."""
        before = self.record(CHILDREN.name, said.id)
        if before is None or holds.FACT in self._absent[CHILDREN.name]:
            return False
        return before.safeguarding_issue is True and said.safeguarding_issue is not True

    @cached_property
    def _by_a_concern(self) -> frozenset[str]:
        """Ids of the volunteers whom a concern stopped."""
        stopped = [row.id for row in self.volunteers.values() if row.status in standing.STOPPED]
        told = standing.told(self.rows, stopped) if stopped else {}
        return frozenset(id for id, one in told.items() if standing.by_a_concern(standing.since_stopped(one)))

    def together(self, given: Instance) -> dict[str, str]:
        """Who would be one family, by Kith and the files together: the group of each child and of each word for one.

        By their references and by the words, in small letters. Families only ever join.
        """
        links = [(name, f" {row.id}") for name, row in self.families.items()]  # no word begins with a blank
        links += [(reference, f" {row.id}") for reference, row in self.family_of.items()]
        for reference, word in said_of_families(given):
            links += [(reference, word), (word, word)]
        return {name.casefold(): group for name, group in families(links).items()}

    def joined(self, given: Instance) -> set[str]:
        """Children who would have siblings, or none, that Kith does not know of."""
        groups = self.together(given)
        found: dict[str, dict[str, bool]] = defaultdict(dict)
        for reference, row in self.family_of.items():
            found[groups[reference.casefold()]][row.id] = row.known
        new = {group for group, known in found.items() if len(known) > 1 or not all(known.values())}
        return {child for child in given.family_of if child in self.children and groups[child.casefold()] in new}

    def taken_apart(self, given: Instance) -> Iterator[tuple[str, list[str], str]]:
        """Children whom a manager took out of a family, with those of it whose siblings they would be again, and why.

        The reference of each, those of the others, and the reason that was given.
        """
        groups = self.together(given)
        said = {groups[reference.casefold()] for reference in given.family_of}
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for one in self.rows.session.scalars(select(tables.TakenApart)):
            child, other = self.named[one.child_id], self.named[one.other_id]
            if groups[child.casefold()] == groups[other.casefold()] in said:
                found[child, one.reason].append(other)
        for (child, reason), others in sorted(found.items()):
            yield child, sorted(others), reason

    def match(self, match: records.Match) -> tables.Match | None:
        return self.matches.get((match.child, match.volunteer))

    def declined(self, no: records.Declined) -> bool:
        return self.pair(no.child, no.volunteer) in self._nos

    def declined_by_child(self, child: str, volunteer: str) -> bool:
        return self.pair(child, volunteer) in self._childrens

    def exception(self, one: records.RecordedException) -> bool:
        """Whether it is here and in force."""
        child, volunteer = self.pair(one.child, one.volunteer)
        return (one.kind, volunteer, child, one.value) in self._allowed

    def withdrawn(self, one: records.RecordedException) -> bool:
        """Whether a manager has taken one of this kind back for these people, whatever its figure."""
        child, volunteer = self.pair(one.child, one.volunteer)
        return (one.kind, volunteer, child) in self._withdrawn

    def pair(self, child: str | None, volunteer: str) -> tuple[str | None, str | None]:
        """Their ids, so far as they are here."""
        known_child, known = self.children.get(child or ""), self.volunteers.get(volunteer)
        return known_child.id if known_child else None, known.id if known else None


def records_of(given: Instance) -> Iterator[tuple[str, Any]]:
    yield from ((CHILDREN.name, child) for child in given.children)
    yield from ((VOLUNTEERS.name, volunteer) for volunteer in given.volunteers)


def said_of_families(given: Instance) -> Iterator[tuple[str, str]]:
    """Each child of whom files name a family, and the word for it."""
    yield from ((child.id, child.family) for child in given.children if child.family is not None)
    yield from ((match.child, match.family) for match in given.matches if match.family is not None)


def _absent(sheet: Sheet, there: Collection[str] | None) -> frozenset[str]:
    """Fields of which a file has no column."""
    return frozenset(column.to for column in sheet.columns if there is not None and column.name not in there)


def differing(before: Any, after: Any) -> Iterator[str]:
    for one in fields(before):
        if one.name not in ("id", "family") and getattr(before, one.name) != getattr(after, one.name):
            yield one.name


def ends(row: tables.Match, match: records.Match) -> bool:
    return match.status is MatchStatus.ENDED and State(row.state) in APPOINTED


def redated(row: tables.Match, match: records.Match) -> dict[str, date | None]:
    """The dates by which a file corrects a match that is here, where both say that it goes on, or that it is over.

    A blank says nothing; but a match that goes on has no date of ending, and one that it has goes.
    """
    ending = ends(row, match)
    if match.pinned or not (ending or MATCH_STATUS[State(row.state)] is match.status):
        return {}
    found: dict[str, date | None] = {}
    if match.started_on is not None and match.started_on != row.started_on:
        found["started_on"] = match.started_on
    over = match.status is MatchStatus.ENDED
    if (not over and row.ended_on is not None) or (over and not ending and match.ended_on not in (None, row.ended_on)):
        found["ended_on"] = match.ended_on
    return found


def children_of(rows: Repository, texts: Collection[str]) -> list[str]:
    """The ids of the children whom cells of a file name, so far as they are here: for the log of who read of them."""
    query = select(tables.Child.id, tables.Child.reference)
    wanted = {part.strip() for text in texts for part in (text, *text.replace(",", ";").split(";"))}
    return [id for id, reference in rows.session.execute(query) if reference in wanted]

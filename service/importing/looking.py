"""What an import would do, told beforehand: nothing of it is done yet."""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import date
from typing import Any

from sqlalchemy import select

from matcher import alone
from matcher.errors import InputError, Problem
from matcher.instance import Instance
from matcher.policy import Policy
from matcher.readers import Reading
from matcher.reading.sheets import CHILDREN, VOLUNTEERS
from matcher.records import (
    Agreement,
    Authority,
    Declined,
    Match,
    MatchStatus,
    RecordedException,
    Status,
)
from matcher.words import counted, day, first_upper, listed, pounds
from service import exceptions, holds
from service.database import tables
from service.doubles import MOST, Births
from service.importing import live
from service.importing.against import wrong
from service.importing.echo import Change, Changed, Echo, New, Weaker, named_in
from service.importing.here import Here, differing, ends, records_of, redated
from service.importing.impossible import impossible_dates, newly_impossible
from service.people import A_MANAGERS
from service.repository import Repository
from service.safeguards import A_MANAGERS_SAY, weakened
from service.workflow import State


def look(rows: Repository, reading: Reading, as_of: date) -> Echo:
    """Raises InputError with every problem of the files, and of what they say beside what is here."""
    policy = rows.policy()[1]
    given = reading.instance(policy, as_of)
    here = Here(rows, reading)
    echo = look_beside(here, given, policy)
    # For people to read: everybody who is here is opened for it, which nobody who waits to write is to wait for.
    likely = [*likely_here(here)]
    return replace(
        echo, notes=(*echo.notes, *(note for note, _ in likely)),
        likely={note.value: like for note, like in likely if note.column == SHEET_KEY[CHILDREN.name]},
    )  # fmt: skip


def look_beside(here: Here, given: Instance, policy: Policy) -> Echo:
    """The same where what is here was read already, and the files were found to have no problem by themselves."""
    reading, as_of = here.reading, given.as_of
    problems = (
        *wrong(here, reading, policy), *live.refused(here, reading), *newly_impossible(here, reading, as_of),
        *impossible_dates(here, reading, as_of),
    )  # fmt: skip
    if problems:
        raise InputError(f"{len(problems)} problems have to be mended first: {problems[0]}", problems)
    told = _Told(here, reading, given)
    told.people()
    told.between()
    if live.any_new(here, given):
        told.newly_live(here.rows.instance(as_of))
    told.budgets()
    notes = (*_unchecked(here, given, policy), *still_stopped(here), *still_held(here))
    return Echo(tuple(told.added), tuple(told.changed), tuple(told.weaker), dict(told.same), told.absent(), notes)


def _unchecked(here: Here, given: Instance, policy: Policy) -> Iterator[Problem]:
    """Who is approved in the files and lacks a check: an import loses nothing, and nobody is approved so on a page."""
    reading, approved = here.reading, []
    for said in given.volunteers:
        before = here.record(VOLUNTEERS.name, said.id)
        after = said if before is None else here.kept(VOLUNTEERS.name, before, said)
        if after.status is Status.APPROVED:
            approved.append(replace(after, id=said.id))
    lacking = defaultdict(list)
    for one in alone.unchecked(approved, policy, given.as_of):
        lacking[one.volunteer].append(one)
    for place, record in enumerate(reading.records[VOLUNTEERS.name]):
        if found := lacking.get(record.id):
            wrong = f"stands there, and {alone.told_unchecked(found)}"
            remedy = "Until that is put right no child is matched with them"
            row = reading.rows[VOLUNTEERS.name][place]
            told = reading.files[VOLUNTEERS.name], row, "status", str(Status.APPROVED), wrong, remedy
            yield Problem(*told, rejected=False)


def likely_here(here: Here) -> Iterator[tuple[Problem, Sequence[str]]]:
    """Who is new by the files, and born on the same day as somebody who is here: likely the same, misspelt.

    With the references of those whom the note names.
    """
    reading = here.reading
    for sheet, rows in ((CHILDREN.name, here.children), (VOLUNTEERS.name, here.volunteers)):
        new = [
            (place, said) for place, said in enumerate(reading.records[sheet]) if here.record(sheet, said.id) is None
        ]
        births = Births(filter(None, (here.record(sheet, reference) for reference in rows))) if new else None
        for place, said in new:
            if births and (like := sorted(births.like(said))):
                named = like[:MOST]
                more = [f"{len(like) - MOST} more"] if len(like) > MOST else []
                were = "was" if len(like) == 1 else "were"
                wrong = f"is new, and {listed([*named, *more])} in Kith {were} born on the same day"
                remedy = (
                    "If that is the same person, write the reference as Kith has it; otherwise there is nothing to do"
                )
                where = reading.files[sheet], reading.rows[sheet][place]
                yield Problem(*where, SHEET_KEY[sheet], said.id, wrong, remedy, rejected=False), named


SHEET_KEY = {sheet.name: sheet.columns[0].name for sheet in (CHILDREN, VOLUNTEERS)}
"""The column in which each sheet has the reference."""


def still_stopped(here: Here) -> Iterator[Problem]:
    """Whoever a concern stopped, and the files say is so no more: of their row all else is taken in."""
    reading = here.reading
    for place, said in enumerate(reading.records[VOLUNTEERS.name]):
        if here.stays_stopped(said):
            status = here.volunteers[said.id].status
            wrong = f"is not taken in: {said.id} is {status} for a concern, and no file tells what was found of it"
            remedy = f"On {said.id}’s page a manager records that, and takes them back; after that the file may say so"
            where = reading.files[VOLUNTEERS.name], reading.rows[VOLUNTEERS.name][place]
            yield Problem(*where, "status", str(said.status or ""), wrong, remedy, rejected=False)


def still_held(here: Here) -> Iterator[Problem]:
    """Children who are held, and by the files are so no more: of their row all else is taken in."""
    reading = here.reading
    for place, said in enumerate(reading.records[CHILDREN.name]):
        if here.stays_held(said):
            wrong = (
                f"is not taken in: {said.id} is held for a safeguarding issue, and no file tells what was found of it"
            )
            remedy = f"On {said.id}’s page a manager closes it, and writes that; after that the file may say so"
            where = reading.files[CHILDREN.name], reading.rows[CHILDREN.name][place]
            value = "" if said.safeguarding_issue is None else "no"
            yield Problem(*where, holds.FACT, value, wrong, remedy, rejected=False)


def stamp(rows: Repository, files: Mapping[str, bytes], as_of: date, *also: str) -> str:
    """Binds what was told to the files, to the data beside which they were looked at, and to this installation.

    `also` is whatever else decides how the files are read.
    """
    authority = rows.session.info["authority"]
    version = rows.session.scalar(select(tables.Authority.data_version).where(tables.Authority.id == authority))
    seal = hmac.new(rows.keys.audit, f"import {authority} {version} {as_of}".encode(), hashlib.sha256)
    for name, content in sorted(files.items()):
        seal.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(content).digest())
    for text in also:
        seal.update(hashlib.sha256(text.encode()).digest())
    return seal.hexdigest()


_FOR_SAFETY = "a proposal or match of theirs ended for their safety"


class _Told:
    """The echo in the making."""

    def __init__(self, here: Here, reading: Reading, given: Instance) -> None:
        self.here, self.reading, self.given = here, reading, given
        self.same: dict[str, int] = defaultdict(int)
        self.added: list[New] = []
        self.changed: list[Changed] = []
        self.weaker: list[Weaker] = []

    def people(self) -> None:
        joined = self.here.joined(self.given)
        for sheet, said in records_of(self.given):
            before = self.here.record(sheet, said.id)
            self.come_back(sheet, said.id)
            if before is None:
                named = (said.id,) if sheet == CHILDREN.name else said.known_children or ()
                self.added.append(New(sheet, said.id, _facts(said), named))
                continue
            after = self.here.kept(sheet, before, said)
            changes = [Change(name, getattr(before, name), getattr(after, name)) for name in differing(before, after)]
            if sheet == CHILDREN.name and said.id in joined:
                changes.append(Change("family", before.family, said.family))
            if not changes:
                self.same[sheet] += 1
                continue
            self.changed.append(Changed(sheet, said.id, tuple(changes), self.here.id_of(sheet, said.id)))
            self.weaker += (
                Weaker(
                    sheet, said.id, name, sentence, getattr(before, name), getattr(after, name),
                    children=named_in(self.changed[-1], {name}),
                )
                for name, sentence in (*weakened(sheet, before, after), *self.not_asked(said.id, before, after))
            )  # fmt: skip
        self.joined_again()
        self.managers_word()

    def joined_again(self) -> None:
        """Brothers and sisters by the files whom a manager has taken apart: a coordinator's file does not undo that."""
        for child, others, reason in self.here.taken_apart(self.given):
            sentence = (
                f"was taken out of the family of {listed(others)} by a manager (“{reason}”), and would be a "
                "sibling again: nobody visits two of them."
            )
            self.weaker.append(Weaker(CHILDREN.name, child, "family", sentence, children=(child, *others)))

    def not_asked(self, reference: str, before: Any, after: Any) -> Iterator[tuple[str, str]]:
        """A yes of a child who is to be asked again: somebody has to have asked them since."""
        yes = getattr(after, "agrees", None) is Agreement.YES
        if yes and before.agrees is not Agreement.YES and reference in self.here.asked_again:
            for_safety = self.here.asked_again[reference]
            since = f"is to be asked again, since {_FOR_SAFETY}"
            why = since if for_safety else "did not want a visitor when they were asked last"
            yield "agrees", f"{why}, and the file says yes."

    def come_back(self, sheet: str, reference: str) -> None:
        """Who was erased and is in the files again: what was said no to then holds, and somebody has to know."""
        row = (self.here.children if sheet == CHILDREN.name else self.here.volunteers).get(reference)
        if row is None or row.once is None:
            return
        held = []
        if isinstance(row, tables.Child) and row.objects:
            held.append("they had said no to any visitor")
        if isinstance(row, tables.Volunteer) and row.status == Status.SUSPENDED:
            held.append("they were suspended")
        if reference in self.here.asked_again:
            for_safety = self.here.asked_again[reference]
            held.append(_FOR_SAFETY if for_safety else "they wanted no visitor when they were asked last")
        if count := self.here.noes_of(row.id):
            held.append(f"{counted(count, 'pair of theirs was', 'pairs of theirs were')} declined")
        if held:
            sentence = f"was erased, and would be here again: {listed(held)}. That holds still."
            children = (reference,) if sheet == CHILDREN.name else ()
            self.weaker.append(Weaker(sheet, reference, "erased", sentence, adds=True, children=children))

    def managers_word(self) -> None:
        """Of new children, once a fact: a first file would otherwise ask for hundreds of ticks."""
        new = [child for child in self.given.children if self.here.record(CHILDREN.name, child.id) is None]
        for name in A_MANAGERS:
            children = tuple(sorted(child.id for child in new if getattr(child, name) is True))
            if children:
                who = counted(len(children), "new child", "new children")
                sentence = f"{first_upper(who)} {A_MANAGERS_SAY[name]}."
                self.weaker.append(Weaker(CHILDREN.name, "", name, sentence, adds=True, children=children))

    def between(self) -> None:
        for match in self.given.matches:
            row = self.here.match(match)
            if row is None:
                self.added.append(_between("matches", match))
                continue
            changes = [Change("status", State(row.state), MatchStatus.ENDED)] if ends(row, match) else []
            changes += (Change(name, getattr(row, name), said) for name, said in redated(row, match).items())
            if changes:
                self.changed.append(Changed("matches", f"{match.child} and {match.volunteer}", tuple(changes)))
            else:
                self.same["matches"] += 1
        for no in self.given.declined:
            if self.here.declined(no):
                self.same["declined"] += 1
            else:
                self.added.append(_between("declined", no))
        for one in self.given.exceptions:
            if self.here.exception(one):
                self.same["exceptions"] += 1
                continue
            new = _between("exceptions", one)
            self.added.append(new)
            withdrawn = self.here.withdrawn(one)
            sentence = _allowed(one) + (" A manager has withdrawn that in Kith." if withdrawn else "")
            self.weaker.append(
                Weaker("exceptions", new.reference, one.kind, sentence, adds=not withdrawn, children=new.children)
            )

    def newly_live(self, before: Instance) -> None:
        """What the core rules say against new live matches, one by one.

        Of those between a child and a volunteer who are both new to Kith, once a rule: so it is with the first files of
        a service, where somebody looks through all that has been before.
        """
        both_new: dict[str, list[live.Broken]] = defaultdict(list)
        for one in live.broken(self.here, self.given, before):
            match = one.match
            if match.child in self.here.children or match.volunteer in self.here.volunteers:
                sentence = f"would be {match.status}, against a rule. {one.sentence}"
                whom = f"{match.child} and {match.volunteer}"
                self.weaker.append(Weaker("matches", whom, one.rule, sentence, adds=True, children=(match.child,)))
            else:
                both_new[one.rule].append(one)
        for rule, found in both_new.items():
            which = counted(len(found), "new match", "new matches")
            sentence = f"{first_upper(which)} would be against a rule: “{found[0].title}”."
            children = tuple(one.match.child for one in found)
            each = tuple(one.sentence for one in found)
            self.weaker.append(Weaker("matches", "", rule, sentence, adds=True, children=children, each=each))

    def budgets(self) -> None:
        for code, budget in self.given.authorities.items():
            known = self.here.budgets.get(code)
            if known is None:
                self.added.append(New("authorities", code, _facts(budget), ()))
                sentence = f"would have {_budget(budget)}, and a manager approves budgets."
                self.weaker.append(Weaker("authorities", code, "budget_pence", sentence, adds=True))
                continue
            pairs = (("budget_pence", known.budget_pence, budget.budget_pence),
                     ("spent_pence", known.spent_pence, budget.spent_pence))  # fmt: skip
            changes = tuple(Change(*pair) for pair in pairs if pair[1] != pair[2])
            if changes:
                self.changed.append(Changed("authorities", code, changes))
                sentence = f"would change from {_budget(known)} to {_budget(budget)}, and a manager approves budgets."
                self.weaker.append(Weaker("authorities", code, "budget_pence", sentence))
            else:
                self.same["authorities"] += 1

    def absent(self) -> dict[str, dict[str, str]]:
        children = {child.id for child in self.given.children}
        volunteers = {one.id for one in self.given.volunteers}
        return {
            CHILDREN.name: {
                reference: row.id for reference, row in self.here.children.items()
                if row.referral and reference not in children
            },
            VOLUNTEERS.name: {
                reference: row.id for reference, row in self.here.volunteers.items() if reference not in volunteers
            },
        }  # fmt: skip


_TOLD_BY_REFERENCE = ("id", "child", "volunteer", "code")


def _facts(record: Any) -> dict[str, Any]:
    """What a record says besides whose it is. A family that is called as the child is means: no siblings known of."""
    said = {one.name: (getattr(record, one.name), one.default) for one in fields(record)}
    own = getattr(record, "id", None)
    return {
        name: fact
        for name, (fact, blank) in said.items()
        if name not in _TOLD_BY_REFERENCE and fact is not None and fact != blank and (name, fact) != ("family", own)
    }


def _between(sheet: str, record: Match | Declined | RecordedException) -> New:
    """Of a child and a volunteer; of a volunteer alone, where an exception names no child."""
    whom: tuple[str | None, ...] = (record.child, record.volunteer)
    facts = _facts(record)
    if isinstance(record, RecordedException):
        whom = (record.volunteer, record.child)
        if measure := exceptions.measure(record.kind, record.value):
            facts["value"] = measure
    return New(sheet, " and ".join(filter(None, whom)), facts, (record.child,) if record.child else ())


def _allowed(one: RecordedException) -> str:
    """An exception in full: a manager confirms what they have read."""
    measure = f" ({told})" if (told := exceptions.measure(one.kind, one.value)) else ""
    who = f"approved by {one.approved_by} on {day(one.approved_on)}"
    return f"would allow {one.kind}{measure}, {who}, which a manager confirms: “{one.reason}”."


def _budget(one: tables.Budget | Authority) -> str:
    limit = "no recorded budget" if one.budget_pence is None else f"a budget of {pounds(one.budget_pence)}"
    return f"{limit} ({pounds(one.spent_pence)} spent)"

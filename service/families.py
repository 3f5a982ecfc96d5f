"""Families: children who are siblings, and the visitors whom they must not share.

A family may be called by words as files have them, often the reference of one of its children; a child of that
reference who comes later belongs to it. A link that is found late reaches the matches that there are: those that break
the rule for siblings by it stand outside the index of the database that keeps siblings apart, or the truth could not be
recorded, and are named to whoever made the link.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.orm import aliased
from sqlalchemy.orm.exc import StaleDataError

from matcher.errors import KithError
from matcher.instance import LONDON
from matcher.words import day, listed
from service import audit_log
from service.audit_log import Entry
from service.database import tables
from service.repository import Repository
from service.workflow import LIVE, State

HELD = frozenset({*LIVE, State.ENDED})
"""The states of matches that go on, or were visits once."""

UNLINK_REASONS = ("entered by mistake", "not related after all", "another child was meant")
"""Why a child is taken out of a family."""


@dataclass(frozen=True)
class Linked:
    """A family, and the live matches that break the rule for siblings now that it is known."""

    family: tables.Family
    irregular: tuple[str, ...]


class ApartError(KithError):
    """Children whom a manager took apart would be siblings again, and whoever links them has not said that it is meant.

    It asks no manager: siblings by mistake keep a visitor from a child, strangers by mistake give two of them one.
    """

    def __init__(self, told: str, apart: Sequence[str]) -> None:
        super().__init__(f"{told} If they are siblings all the same, say so by `although_taken_apart`.")
        self.told = told
        """That they were taken apart, by whom, when and why."""
        self.apart = tuple(apart)
        """Ids of what was kept of it."""


def family_called(rows: Repository, reference: str) -> tables.Family:
    """The family that a child of a new reference belongs to: one that files called by it, or a new one."""
    word = reference.casefold()
    for family in rows.session.scalars(select(tables.Family).order_by(tables.Family.id)):
        if word in family.references:
            return family
    family = tables.Family(known=False, references=[word])
    rows.session.add(family)
    rows.session.flush()
    return family


def link_siblings(
    rows: Repository, child_ids: Iterable[str], *, user_id: str, although: Collection[str] | None = ()
) -> Linked:
    """Makes children siblings, with all who are siblings of any of them already.

    Raises ApartError where a manager took two of them apart, and nobody has said that they are siblings all the same.

    Args:
        although: ids of what was kept of that and somebody was told; None for whatever there is.
    """
    rows.take_turn()
    children = [rows.child(id) for id in dict.fromkeys(child_ids)]
    families = {child.family_id: rows.session.get_one(tables.Family, child.family_id) for child in children}
    again = _apart_in(rows, families)
    if although is not None and {one.id for one in again} - {*although}:
        raise ApartError(_told_apart(rows, again), [one.id for one in again])
    known_apart = sorted({id for one in again for id in (one.child_id, one.other_id)})
    kept, *others = families.values()
    for family in others:
        for child in rows.session.scalars(select(tables.Child).where(tables.Child.family_id == family.id)).all():
            move(rows, child, kept)
        kept.references = sorted({*kept.references, *family.references})
        rows.session.delete(family)
    kept.known, kept.references = True, sorted({*kept.references, *(child.reference.casefold() for child in children)})
    rows.session.flush()
    irregular = settle(rows, [kept.id])
    details = {"children": [child.id for child in children], "break the rule": irregular}
    details |= {"although apart": known_apart} if known_apart else {}
    audit_log.record(rows.session, rows.keys, Entry(user_id, "link siblings", kept.id, details=details))
    return Linked(kept, tuple(irregular))


def unlink_sibling(rows: Repository, child: tables.Child, *, user_id: str, reason: str) -> None:
    """Takes a child out of a family to which they do not belong. It weakens a safeguard: a manager's decision.

    The siblings whom they leave stay siblings of each other. Who is by themselves from then on is not known to have
    none: nobody said so, and perhaps another child was meant. From whom a manager parted the child is kept until they
    are linked again. Raises StaleDataError where the child was changed since they were read.
    """
    seen = child.version
    rows.take_turn()
    rows.session.refresh(child)
    if child.version != seen:
        raise StaleDataError("The child was changed meanwhile.")
    before, family = child.family_id, tables.Family(known=False, references=[child.reference.casefold()])
    rows.session.add(family)
    old = rows.session.get_one(tables.Family, before)
    old.references = [name for name in old.references if name != child.reference.casefold()]
    others = [one.id for one in siblings_of(rows, child)]
    old.known = old.known and len(others) > 1
    rows.session.add_all(tables.TakenApart(child_id=child.id, other_id=other, reason=reason) for other in others)
    rows.session.flush()
    child.family_id = family.id
    rows.session.flush()
    rows.session.expire_all()  # the copies in `matches` were changed by the database
    settle(rows, [before, family.id])
    audit_log.record(
        rows.session, rows.keys, Entry(user_id, "unlink sibling", child.id, reason, {"from": before, "to": family.id})
    )


def stamp(children: Iterable[str]) -> str:
    """What somebody has seen who links others to a family: who belongs to it."""
    return hashlib.sha256(" ".join(sorted(children)).encode()).hexdigest()[:12]


def siblings_of(rows: Repository, child: tables.Child) -> Sequence[tables.Child]:
    """A child's brothers and sisters, by reference."""
    same = select(tables.Child).where(tables.Child.family_id == child.family_id, tables.Child.id != child.id)
    return rows.session.scalars(same.order_by(tables.Child.reference)).all()


def move(rows: Repository, child: tables.Child, family: tables.Family) -> None:
    """Puts a child into a family, and out of the index what it would not let in: `settle` comes after the last move."""
    if child.family_id == family.id:
        return
    held = select(tables.Match).where(tables.Match.state.in_(HELD), ~tables.Match.irregular)
    theirs = {one.volunteer_id for one in rows.session.scalars(held.where(tables.Match.family_id == family.id))}
    for match in rows.session.scalars(held.where(tables.Match.child_id == child.id)).all():
        match.irregular = match.volunteer_id in theirs
    rows.session.flush()
    child.family_id = family.id
    rows.session.flush()
    # Their copies in `matches` were changed by the database; of an import the session holds thousands of other rows.
    own = select(tables.Match).where(tables.Match.child_id == child.id)
    rows.session.scalars(own.execution_options(populate_existing=True)).all()


def settle(rows: Repository, families: Iterable[str]) -> list[str]:
    """Marks what breaks the rule for siblings in these families, and nothing else; the ids of live matches that do.

    Of the matches of one volunteer in one family, one stays under the index, a past one if there is one: a live match
    that breaks the rule is marked as such, in whichever order siblings were linked.
    """
    _forget_apart(rows)
    held = select(tables.Match).where(tables.Match.family_id.in_(families), tables.Match.state.in_(HELD))
    groups: dict[tuple[str, str], list[tables.Match]] = defaultdict(list)
    for match in rows.session.scalars(held).all():
        groups[match.family_id, match.volunteer_id].append(match)
    told, regular = [], []
    for group in groups.values():
        first, *others = sorted(group, key=lambda one: (State(one.state) in LIVE, one.id))
        regular.append(first)
        for match in others:
            match.irregular = True
        if len({match.child_id for match in group}) > 1:
            told += [match.id for match in group if State(match.state) in LIVE]
    rows.session.flush()  # before others go under the index in their place
    for match in regular:
        match.irregular = False
    rows.session.flush()
    return sorted(told)


def _forget_apart(rows: Repository) -> None:
    """What a manager said of two who are siblings by now ends."""
    both = _with_both().where(_CHILD.family_id == _OTHER.family_id)
    for again in rows.session.scalars(both).all():
        rows.session.delete(again)


_CHILD, _OTHER = aliased(tables.Child), aliased(tables.Child)


def _with_both() -> Select[tables.TakenApart]:
    apart = tables.TakenApart
    return select(apart).join(_CHILD, _CHILD.id == apart.child_id).join(_OTHER, _OTHER.id == apart.other_id)


def _apart_in(rows: Repository, families: Collection[str]) -> Sequence[tables.TakenApart]:
    """What is kept of children of these families whom a manager took apart."""
    within = _CHILD.family_id.in_(families), _OTHER.family_id.in_(families)
    return rows.session.scalars(_with_both().where(*within).order_by(tables.TakenApart.id)).all()


def _told_apart(rows: Repository, apart: Iterable[tables.TakenApart]) -> str:
    said: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in apart:
        when = day(one.at.astimezone(LONDON).date())
        said[rows.child(one.child_id).reference, when, one.reason].append(rows.child(one.other_id).reference)
    return " ".join(
        f"A manager took {child} out of the family of {listed(sorted(others))} on {when} (“{reason}”)."
        for (child, when, reason), others in sorted(said.items())
    )


def held_matches(rows: Repository, family: str) -> list[tables.Match]:
    """The matches that go on, or were visits once, of the children of a family."""
    held = select(tables.Match).where(tables.Match.family_id == family, tables.Match.state.in_(HELD))
    return list(rows.session.scalars(held.order_by(tables.Match.id)))


def with_siblings(match: tables.Match, matches: Iterable[tables.Match]) -> tuple[str, ...]:
    """The reason against a match whose volunteer visits or visited a sibling, also of a child without a referral."""
    theirs = match.volunteer_id, match.family_id
    same = (one for one in matches if (one.volunteer_id, one.family_id) == theirs and one.state in HELD)
    if any(one.child_id != match.child_id for one in same):
        who, sibling = match.volunteer_id, match.child_id
        return (f"{who} visits or has visited a sibling of {sibling}: siblings never share a visitor.",)
    return ()

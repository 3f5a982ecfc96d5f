"""What every rule is: a limit that a pair keeps or not, told in a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from matcher.pairs import NOT_RECORDED, Array, Between, Bools, Ints, Pairs
from matcher.policy import Choice, Policy, Whole
from matcher.records import ExceptionKind, RecordedException
from matcher.words import day, spoken

Verdicts = NDArray[np.int8]


class Verdict(IntEnum):
    PASSES = 1
    FAILS = 0
    NOT_RECORDED = -1


class Limit:
    """What pair rules and plan constraints have in common: a limit that a pair keeps or not."""

    id: ClassVar[str]
    title: ClassVar[str]
    """A sentence that a coordinator would say; {years} stands for a limit of the policy."""
    short: ClassVar[str]
    """What a pair that breaks it is called in a count: "31 too far"."""
    source: ClassVar[str]
    section: ClassVar[str]
    about: ClassVar[str] = "pair"
    """Whose facts it needs: "child", "volunteer" or "pair". The first two are judged once a person."""
    core: ClassVar[bool] = False
    """Statutory or safeguarding: no policy can switch it off."""
    limits: ClassVar[Mapping[str, Whole | Choice]] = {}
    ordered: ClassVar[tuple[str, ...]] = ()
    by_exception: ClassVar[bool] = False
    """Whether it is a recorded exception that makes it `worth_telling`."""
    reads: ClassVar[tuple[str, ...]] = ()
    """The facts that it looks at, as `child.family`. Without one that it `needs` it cannot pass."""

    def applies(self, pairs: Pairs, policy: Policy) -> Bools:
        """Where the limit has anything to say. Elsewhere a pair passes, whatever is recorded."""
        return np.ones(len(pairs), dtype=np.bool_)

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        """Whether each pair keeps the limit. Read only where the facts are recorded."""
        return np.ones(len(pairs), dtype=np.bool_)

    def needs(self, path: str, pairs: Pairs, policy: Policy) -> Bools:
        """Where the rule needs this one of `reads`: everywhere, unless it says otherwise."""
        return np.ones(len(pairs), dtype=np.bool_)

    def known(self, pairs: Pairs, policy: Policy) -> Bools:
        """Whether all that `passes` needs is recorded."""
        known = np.ones(len(pairs), dtype=np.bool_)
        for path in self.reads:
            recorded = pairs.known(path)
            if not recorded.all():
                known &= recorded | ~self.needs(path, pairs, policy)
        return known

    def blanks(self, pairs: Pairs, policy: Policy) -> Iterator[tuple[str, Bools]]:
        """The facts of `reads` that are missing, each with the pairs that wait for it."""
        waiting = self.verdicts(pairs, policy) == Verdict.NOT_RECORDED
        for path in self.reads:
            yield path, waiting & ~pairs.known(path) & self.needs(path, pairs, policy)

    def verdicts(self, pairs: Pairs, policy: Policy) -> Verdicts:
        """One Verdict a pair. What is not recorded never passes."""
        judged = self.passes(pairs, policy).astype(np.int8)  # True is PASSES, False is FAILS
        judged[~self.known(pairs, policy)] = Verdict.NOT_RECORDED
        judged[~self.applies(pairs, policy)] = Verdict.PASSES
        return judged

    def worth_telling(self, between: Between, policy: Policy) -> bool:
        """Whether a coordinator should hear why it passes before the pair is proposed: an exception, a cost, a tie."""
        return False

    def passing(self, between: Between, policy: Policy) -> str:
        """Why the pair passes, in a sentence."""
        raise NotImplementedError

    def telling(self, between: Between, policy: Policy) -> str:
        """What a coordinator hears of it before the pair is proposed, where that is worth telling."""
        return self.passing(between, policy)

    def failing(self, between: Between, policy: Policy) -> str:
        """Why the pair fails, in a sentence."""
        raise NotImplementedError

    def not_recorded(self, between: Between, policy: Policy) -> str:
        """Which facts are missing, and where they go."""
        return told_missing([path for path in self.reads if self.needs(path, between.pairs, policy)[0]], between)

    def reason(self, between: Between, policy: Policy, verdict: Verdict) -> str:
        if verdict is Verdict.NOT_RECORDED:
            return self.not_recorded(between, policy)
        return (self.passing if verdict is Verdict.PASSES else self.failing)(between, policy)


def told_missing(paths: Iterable[str], between: Between) -> str:
    """Which of these facts are not recorded, in a sentence."""
    missing = [path for path in paths if not between.pairs.known(path)[0]]
    return "Not recorded: " + " and ".join(_place_of(path, between) for path in missing) + "."


def _place_of(path: str, between: Between) -> str:
    """`child.family` as a coordinator finds it."""
    sheet, column = column_of(path)
    if sheet == "matches":
        return f"the family of a child that {between.volunteer.id} visits or visited (matches, column family)"
    id = between.child.id if sheet == "children" else between.volunteer.id
    said = _UNKNOWN.get(column, f"the {spoken(column)} of {{id}}").format(id=id)
    return f"{said} ({sheet}, column {column})"


_UNKNOWN = {
    "agreement_signed_on": "when {id} signed the agreement",
    "agrees": "whether {id} agrees",
    "commitment_until": "until when {id} has committed",
    "connected_authorities": "which councils {id} is connected with",
    "continuing_agreed": "whether {id} agrees to a visitor now that care has ended",
    "core_training_on": "when {id} completed the core training",
    "database_checked_on": "when the social care records were checked for {id}",
    "dbs_checked_on": "when the DBS of {id} was checked",
    "drives": "whether {id} drives",
    "family": "whether {id} has brothers and sisters",
    "funding_agreed": "whether a manager agrees to pay for {id}",
    "home": "where {id} lives",
    "insured_for_volunteering": "whether the insurance of {id} covers volunteering",
    "insured_until": "until when {id} is insured",
    "known_children": "which children {id} knows",
    "licence_checked_on": "when the licence of {id} was checked",
    "long_term_plan": "the long-term plan for {id}",
    "looked_after": "whether {id} is still looked after",
    "looked_after_since": "since when {id} has been looked after",
    "manager_approved": "whether the team manager has approved the referral of {id}",
    "medical_clearance_on": "when a doctor cleared {id}",
    "medical_condition": "whether {id} declared a medical condition",
    "mot_until": "until when the MOT of {id} lasts",
    "needs_accepted": "to which additional needs {id} says yes",
    "needs_trained": "for which additional needs {id} is trained",
    "organisations": "which providers of care {id} belongs to",
    "placement": "where {id} lives",
    "placement_council": "in which council {id} lives",
    "placement_move_pending": "whether {id} is about to move",
    "proceedings_concluded": "whether the care proceedings of {id} are concluded",
    "professional_references": "how many references of {id} are professional",
    "provider": "who provides the placement of {id}",
    "references_accepted": "how many references of {id} are accepted",
    "referred_on": "when {id} was referred",
    "requested_gender": "which gender {id} asks for",
    "responsible_authority": "which authority is responsible for {id}",
    "right_to_work": "whether {id} may work in the United Kingdom",
    "safeguarding_issue": "whether a safeguarding issue of {id} is unresolved",
    "safeguarding_training_on": "when {id} completed the safeguarding training",
    "support_sessions": "how many sessions of support {id} has had",
    "travel_limit_miles": "how far {id} travels",
}
"""What is not known where a column is blank; of any other, its name."""


def column_of(path: str) -> tuple[str, str]:
    """The sheet and the column in which `child.talks` is recorded."""
    side, _, field = path.partition(".")
    elsewhere = {
        "families_visited": ("matches", "family"),
        "talks": ("children", "languages"),
        "travel_limit_metres": ("volunteers", "travel_limit_miles"),
    }
    return elsewhere.get(field, ({"child": "children", "volunteer": "volunteers"}.get(side, side), field))


def recorded_exceptions(pairs: Pairs, kind: ExceptionKind) -> Iterator[tuple[Bools, RecordedException]]:
    """The exceptions of a kind that speak of any of these pairs, each with the pairs of which it does."""
    tables = pairs.tables
    known = tables.volunteer_at
    recorded = [one for one in tables.instance.exceptions if one.kind is kind and one.volunteer in known]
    rows = [known[one.volunteer] for one in recorded]
    listed = pairs.of_volunteers(rows)
    for one, row in zip(recorded, rows, strict=True):
        about = listed[pairs.volunteer_row[listed] == row]
        if one.child is not None:
            about = about[pairs.child_row[about] == tables.child_at.get(one.child, NOT_RECORDED)]
        if len(about):
            which = np.zeros(len(pairs), dtype=np.bool_)
            which[about] = True
            yield which, one


def allowed_by(exception: RecordedException, child: str) -> str:
    """Who allowed it and when, to go on in a sentence; why, where it was allowed for this child.

    What was written of a volunteer for any child may speak of another whom they visit.
    """
    reason = exception.reason.rstrip(". ") if exception.child == child else ""
    return f"{exception.approved_by} allowed it on {day(exception.approved_on)}{f': {reason}' if reason else ''}"


def add_months(days: Array, months: int | Ints) -> Array:
    """The same day of the month, `months` later; a day that the month lacks runs over into the next."""
    month = days.astype("datetime64[M]")
    shifted = month + np.asarray(months).astype("timedelta64[M]")
    later = shifted.astype("datetime64[D]") + (days - month.astype("datetime64[D]"))
    return np.asarray(later)


def add_years(days: Array, years: int | Ints) -> Array:
    """The same day, `years` later; 29 February falls on 1 March in other years."""
    return add_months(days, 12 * years)


def age_on(born: Array, day: np.datetime64) -> Ints:
    """Completed years on a day, by `add_years`; read only where the birth is recorded."""
    years = (day.astype("datetime64[Y]") - born.astype("datetime64[Y]")).astype(np.int64)
    years = np.where(np.isnat(born), 0, years)
    return np.asarray(years - (add_years(born, years) > day))


def whole_years(born: Array, day: Array | np.datetime64) -> int:
    """Completed years between two dates, each an array of one."""
    return next(years for years in range(-200, 201) if add_years(born, years + 1)[0] > day)


class PairRule(Limit):
    """A limit on one pair."""

    section = "rules"


class Confirmed(PairRule):
    """A rule on one yes-or-no fact of a child or a volunteer, the first that it reads."""

    wanted: ClassVar[bool] = True
    says: ClassVar[tuple[str, str]]
    """What is said of the person where the rule passes, and where it fails."""

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        side, _, field = self.reads[0].partition(".")
        return np.asarray(getattr(pairs.child if side == "child" else pairs.volunteer, field) == int(self.wanted))

    def passing(self, between: Between, policy: Policy) -> str:
        return self.says[0].format(id=self._person(between))

    def failing(self, between: Between, policy: Policy) -> str:
        return self.says[1].format(id=self._person(between))

    def _person(self, between: Between) -> str:
        return between.child.id if self.about == "child" else between.volunteer.id


class PlanConstraint(Limit):
    """A limit on the whole plan. `verdicts` tells of one pair whether it could stand in any plan at all."""

    section = "constraints"

    def arrays(self, pairs: Pairs, policy: Policy) -> dict[str, Array]:
        """What the constraint contributes to the `AssignmentProblem` over these pairs."""
        return {}


def age(between: Between) -> int:
    return whole_years(between.pairs.volunteer.date_of_birth, between.pairs.as_of)

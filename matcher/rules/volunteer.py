"""Pair rules about the volunteer alone."""

from __future__ import annotations

import numpy as np

from matcher.pairs import Between, Bools, Pairs, code
from matcher.policy import Policy, Whole
from matcher.records import Status
from matcher.rules.base import PairRule, add_years, age
from matcher.words import day


class Approved(PairRule):
    id = "approved"
    title = "The volunteer is approved and has signed the agreement"
    short = "not approved"
    source = "S 6; N Recruitment; NS 5.3"
    about = "volunteer"
    core = True
    reads = ("volunteer.status", "volunteer.agreement_signed_on")

    def known(self, pairs: Pairs, policy: Policy) -> Bools:
        # A suspended volunteer is refused as suspended, whether or not the agreement's date was kept.
        status = pairs.volunteer.status
        return np.where(
            status == code(Status.APPROVED), super().known(pairs, policy), pairs.volunteer.known("status")
        ).astype(np.bool_)

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        signed = pairs.volunteer.agreement_signed_on <= pairs.as_of
        return np.asarray(signed & (pairs.volunteer.status == code(Status.APPROVED)))

    def passing(self, between: Between, policy: Policy) -> str:
        volunteer = between.volunteer
        return f"{volunteer.id} is approved and signed the agreement on {day(volunteer.agreement_signed_on)}."

    def failing(self, between: Between, policy: Policy) -> str:
        volunteer = between.volunteer
        if volunteer.status is Status.APPROVED:
            return f"{volunteer.id} has not signed the agreement yet: it is dated {day(volunteer.agreement_signed_on)}."
        return f"{volunteer.id} is not approved: the status is {volunteer.status}."


class MinimumAge(PairRule):
    id = "minimum_age"
    title = "The volunteer is over {years}"
    short = "too young"
    source = "S 5; R 2"
    about = "volunteer"
    limits = {"years": Whole("years", 18, 100)}
    reads = ("volunteer.date_of_birth",)

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        # "Over 21" means from the day after the birthday.
        birthday = add_years(pairs.volunteer.date_of_birth, policy.number("rules.minimum_age.years"))
        return np.asarray(birthday < pairs.as_of)

    def passing(self, between: Between, policy: Policy) -> str:
        return f"{between.volunteer.id} is {age(between)}."

    def failing(self, between: Between, policy: Policy) -> str:
        return f"{between.volunteer.id} is {age(between)}, and must be over {policy.number('rules.minimum_age.years')}."


class DbsCurrent(PairRule):
    id = "dbs_current"
    title = "The enhanced DBS and barring check is in date (renewed every {years} years)"
    short = "without a DBS check in date"
    source = "S 9; N Recruitment; NS 5.4"
    about = "volunteer"
    core = True
    limits = {"years": Whole("years", 1, 3)}  # a policy may ask for it sooner, never later
    reads = ("volunteer.dbs_checked_on",)

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        checked = pairs.volunteer.dbs_checked_on
        # Due on the anniversary itself: the day before is the last in date.
        due = add_years(checked, policy.number("rules.dbs_current.years"))
        return np.asarray((checked <= pairs.as_of) & (pairs.as_of < due))

    def passing(self, between: Between, policy: Policy) -> str:
        return f"{between.volunteer.id}'s DBS check of {self._dates(between, policy)}."

    def failing(self, between: Between, policy: Policy) -> str:
        checked = between.volunteer.dbs_checked_on
        if checked is not None and checked > between.instance.as_of:
            return f"{between.volunteer.id}'s DBS check is dated {day(checked)}, which is yet to come."
        return f"{between.volunteer.id}'s DBS check has lapsed: that of {self._dates(between, policy)}."

    def _dates(self, between: Between, policy: Policy) -> str:
        checked = between.pairs.volunteer.dbs_checked_on
        due = add_years(checked, policy.number("rules.dbs_current.years"))[0]
        return f"{day(checked[0])} is due again on {day(due)}"

"""Pair rules about the volunteer alone."""

from __future__ import annotations

import numpy as np

from matcher.pairs import NOT_RECORDED, YES, Between, Bools, Pairs, code
from matcher.policy import Policy, Whole
from matcher.records import Status
from matcher.rules.base import Confirmed, PairRule, add_years, age
from matcher.words import day


class Approved(PairRule):
    id = "approved"
    title = "The volunteer is approved and has signed the agreement"
    short = "not approved"
    source = "S 6; N Recruitment; NS 5.3"
    about = "volunteer"
    core = True
    reads = ("volunteer.status", "volunteer.agreement_signed_on")

    def needs(self, path: str, pairs: Pairs, policy: Policy) -> Bools:
        # A suspended volunteer is refused as suspended, whether or not the agreement's date was kept.
        if path == "volunteer.status":
            return super().needs(path, pairs, policy)
        return np.isin(pairs.volunteer.status, (code(Status.APPROVED), NOT_RECORDED))

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


class References(PairRule):
    id = "references"
    title = "At least {accepted} references are accepted[, {professional} of them from a professional]"
    short = "without the references"
    source = "NS 5.4; N Recruitment; R 12"
    about = "volunteer"
    core = True
    limits = {"accepted": Whole("references", 2, 10), "professional": Whole("references", 0, 10)}
    ordered = ("professional", "accepted")
    reads = ("volunteer.references_accepted", "volunteer.professional_references")

    def needs(self, path: str, pairs: Pairs, policy: Policy) -> Bools:
        asked = path == "volunteer.references_accepted" or policy.number("rules.references.professional") > 0
        return np.full(len(pairs), asked)

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        volunteer, path = pairs.volunteer, "rules.references"
        enough = volunteer.references_accepted >= policy.number(f"{path}.accepted")
        professional = np.maximum(volunteer.professional_references, 0) >= policy.number(f"{path}.professional")
        return np.asarray(enough & professional)

    def passing(self, between: Between, policy: Policy) -> str:
        return f"{self._count(between, policy)}."

    def failing(self, between: Between, policy: Policy) -> str:
        accepted, professional = (policy.number(f"rules.references.{key}") for key in ("accepted", "professional"))
        of_them = f", {professional} of them from a professional," if professional else ""
        return f"{self._count(between, policy)}; at least {accepted}{of_them} are needed."

    def _count(self, between: Between, policy: Policy) -> str:
        volunteer = between.volunteer
        number = volunteer.references_accepted
        told = f"{volunteer.id} has {number or 'no'} accepted {'reference' if number == 1 else 'references'}"
        if number and policy.number("rules.references.professional"):
            told += f", {volunteer.professional_references or 'none'} of them from a professional"
        return told


class Training(PairRule):
    id = "training"
    title = "The volunteer has completed the core training and the safeguarding training"
    short = "without the training"
    source = "R App. 2; N Training; NS 6.1; S 6"
    about = "volunteer"
    core = True
    reads = ("volunteer.core_training_on", "volunteer.safeguarding_training_on")

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        volunteer = pairs.volunteer
        return np.asarray(np.maximum(volunteer.core_training_on, volunteer.safeguarding_training_on) <= pairs.as_of)

    def passing(self, between: Between, policy: Policy) -> str:
        return f"{self._dates(between)}."

    def failing(self, between: Between, policy: Policy) -> str:
        return f"{self._dates(between)}: not completed yet."

    def _dates(self, between: Between) -> str:
        core, safeguarding = between.volunteer.core_training_on, between.volunteer.safeguarding_training_on
        return (
            f"{between.volunteer.id}'s core training is dated {day(core)} and safeguarding training {day(safeguarding)}"
        )


class RightToWork(Confirmed):
    id = "right_to_work"
    title = "There is proof that the volunteer may work in the United Kingdom"
    short = "without proof of the right to work"
    source = "N Recruitment"
    about = "volunteer"
    reads = ("volunteer.right_to_work",)
    says = ("{id} has shown proof of the right to work.", "{id} has shown no proof of the right to work.")


class VehicleDocuments(PairRule):
    id = "vehicle_documents"
    title = "Who drives the child has a licence checked within {years} years, insurance for volunteering, and an MOT"
    short = "without the papers for driving"
    source = "N Recruitment; S 9; S 14.11"
    about = "volunteer"
    limits = {"years": Whole("years", 1, 10)}
    reads = (
        "volunteer.drives",
        "volunteer.licence_checked_on",
        "volunteer.insured_until",
        "volunteer.insured_for_volunteering",
        "volunteer.mot_until",
    )

    def needs(self, path: str, pairs: Pairs, policy: Policy) -> Bools:
        return np.asarray((pairs.volunteer.drives == YES) | (path == "volunteer.drives"))

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        volunteer, today = pairs.volunteer, pairs.as_of
        due = add_years(volunteer.licence_checked_on, policy.number("rules.vehicle_documents.years"))
        in_date = (volunteer.licence_checked_on <= today) & (today < due)
        in_date &= (today <= volunteer.insured_until) & (today <= volunteer.mot_until)
        return np.asarray((volunteer.drives != YES) | (in_date & (volunteer.insured_for_volunteering == YES)))

    def passing(self, between: Between, policy: Policy) -> str:
        if not between.volunteer.drives:
            return f"{between.volunteer.id} does not drive the child."
        return f"{self._papers(between, policy)}."

    def failing(self, between: Between, policy: Policy) -> str:
        if not between.volunteer.insured_for_volunteering:
            return f"{between.volunteer.id}'s car is not insured for business or volunteer use."
        return f"{self._papers(between, policy)}: not all of them are in date."

    def _papers(self, between: Between, policy: Policy) -> str:
        volunteer = between.volunteer
        due = add_years(between.pairs.volunteer.licence_checked_on, policy.number("rules.vehicle_documents.years"))[0]
        return (
            f"{volunteer.id}'s licence was checked on {day(volunteer.licence_checked_on)} and is due on {day(due)}, "
            f"the insurance lasts until {day(volunteer.insured_until)} and the MOT until {day(volunteer.mot_until)}"
        )


class MedicalClearance(PairRule):
    id = "medical_clearance"
    title = "A medical condition that the volunteer declared is cleared"
    short = "without medical clearance"
    source = "N Recruitment"
    about = "volunteer"
    reads = ("volunteer.medical_condition", "volunteer.medical_clearance_on")

    def needs(self, path: str, pairs: Pairs, policy: Policy) -> Bools:
        return np.asarray((pairs.volunteer.medical_condition == YES) | (path == "volunteer.medical_condition"))

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        cleared = pairs.volunteer.medical_clearance_on <= pairs.as_of
        return np.asarray(cleared | (pairs.volunteer.medical_condition != YES))

    def passing(self, between: Between, policy: Policy) -> str:
        if not between.volunteer.medical_condition:
            return f"{between.volunteer.id} declared no medical condition."
        return f"{between.volunteer.id}'s medical clearance is of {day(between.volunteer.medical_clearance_on)}."

    def failing(self, between: Between, policy: Policy) -> str:
        cleared = day(between.volunteer.medical_clearance_on)
        return f"{between.volunteer.id}'s medical clearance is dated {cleared}, which is yet to come."


class DatabaseCheck(PairRule):
    id = "database_check"
    title = "The authority's social care records were checked within {years} years"
    short = "without a check of the authority's records"
    source = "N Recruitment; S 6; S 9"
    about = "volunteer"
    limits = {"years": Whole("years", 1, 100)}
    reads = ("volunteer.database_checked_on",)

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        checked = pairs.volunteer.database_checked_on
        due = add_years(checked, policy.number("rules.database_check.years"))
        return np.asarray((checked <= pairs.as_of) & (pairs.as_of < due))

    def passing(self, between: Between, policy: Policy) -> str:
        return f"{self._dates(between, policy)}."

    def failing(self, between: Between, policy: Policy) -> str:
        return f"{self._dates(between, policy)}: it is not in date."

    def _dates(self, between: Between, policy: Policy) -> str:
        checked = between.pairs.volunteer.database_checked_on
        due = add_years(checked, policy.number("rules.database_check.years"))[0]
        return (
            f"The check of the authority's records on {between.volunteer.id} of {day(checked[0])} "
            f"is due again on {day(due)}"
        )


class SupportSessions(PairRule):
    id = "support_sessions"
    title = "A volunteer who has had a match attended at least {a_year} support sessions in the last year of it"
    short = "with too few support sessions"
    source = "N Supervision and support; S 9"
    about = "volunteer"
    limits = {"a_year": Whole("sessions a year", 0, 52)}
    reads = ("volunteer.support_sessions",)

    def applies(self, pairs: Pairs, policy: Policy) -> Bools:
        return np.asarray(pairs.volunteer.has_visited)

    def passes(self, pairs: Pairs, policy: Policy) -> Bools:
        return np.asarray(pairs.volunteer.support_sessions >= policy.number("rules.support_sessions.a_year"))

    def passing(self, between: Between, policy: Policy) -> str:
        if not between.pairs.volunteer.has_visited[0]:
            return f"{between.volunteer.id} has not had a match yet."
        return f"{self._attended(between)}."

    def failing(self, between: Between, policy: Policy) -> str:
        return f"{self._attended(between)}; at least {policy.number('rules.support_sessions.a_year')} are needed."

    def _attended(self, between: Between) -> str:
        sessions = between.volunteer.support_sessions
        told = f"{sessions} support {'session' if sessions == 1 else 'sessions'}"
        return f"{between.volunteer.id} attended {told} in the last year of visiting"

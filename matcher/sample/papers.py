"""What a service has on file besides who people are: the state of a referral, a volunteer's checks and limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from matcher.records import Need
from matcher.sample.dice import Dice

Row = dict[str, str]

_NEEDS = {need.value: 1 for need in Need}
_LONG_TERM = {"foster care": "fostering", "children's home": "residential", "secure unit": "residential"}


class SamplePapers:
    """Cells of a child's and a volunteer's row."""

    def __init__(self, dice: Dice, as_of: date, given: Mapping[str, Any]) -> None:
        self.dice, self.as_of = dice, as_of
        self.referral, self.needs, self.checks, self.offer = (
            given[table] for table in ("referral", "needs", "checks", "offer")
        )

    def of_child(self, placement: str, *, alone: bool, away: bool, waited: int, lived: int) -> Row:
        """The state of a referral made `waited` days ago, for a child who is `lived` days old."""
        given, dice = self.referral, self.dice
        looked_after = dice.chance(given["looked_after"])
        days_in_care = given["days_in_care"]["unaccompanied" if alone else "others"]
        since = min(waited + dice.between(*days_in_care), lived)
        plan = _LONG_TERM.get(placement, "other")
        provided = placement in given["organisation"] and dice.chance(given["organisation"][placement])
        return {
            "religion": dice.pick(given["religion_unaccompanied" if alone else "religion"]),
            "religion_request": dice.pick(given["religion_request"]),
            "additional_needs": self._some_needs(self.needs["of_child"]),
            "provider": dice.pick(given["organisations"]) if provided else "none",
            "looked_after": _yes(looked_after),
            "continuing_agreed": "" if looked_after else _yes(dice.chance(given["continuing_agreed"])),
            "looked_after_since": self._ago(since),
            "proceedings_concluded": _yes(dice.chance(given["proceedings_concluded"])),
            "long_term_plan": plan if dice.chance(given["plan_as_placed"]) else "other",
            "placement_move_pending": _yes(dice.chance(given["move_pending"])),
            "safeguarding_issue": _yes(dice.chance(given["safeguarding_issue"])),
            "manager_approved": _yes(dice.chance(given["manager_approved"])),
            "funding_agreed": _yes(dice.chance(given["funding_agreed"])) if away else "",
        }

    def of_volunteer(self, *, applies: bool, signed: int, checked: int, council: str) -> Row:
        """The papers of one who signed so many days ago, or `applies` still, and was checked so many days ago."""
        given, dice = self.checks, self.dice
        accepted = int(dice.pick(given["references_applicant" if applies else "references"]))
        trained = not applies and dice.chance(given["trained"])
        drives, condition = dice.chance(given["drives"]), dice.chance(given["medical_condition"])
        cleared = condition and dice.chance(given["medically_cleared"])
        return {
            "references_accepted": str(accepted),
            "professional_references": str(min(int(dice.pick(given["professional"])), accepted)),
            "core_training_on": "" if applies else self._ago(signed + dice.below(given["days_of_training"])),
            "safeguarding_training_on": self._ago(signed) if trained else "",
            "right_to_work": _yes(dice.chance(given["right_to_work"])),
            "drives": _yes(drives),
            **(self._car() if drives else {}),
            "medical_condition": _yes(condition),
            "medical_clearance_on": self._ago(checked) if cleared else "",
            "database_checked_on": self._ago(checked),
            "organisations": dice.pick(self.referral["organisations"])
            if dice.chance(given["organisation"])
            else "none",
            "known_children": "none",
            **self._limits(council),
        }

    def support_sessions(self) -> str:
        shares: Mapping[str, int] = self.checks["support_sessions"]
        return self.dice.pick(shares)

    def _car(self) -> Row:
        given, dice = self.checks, self.dice
        return {
            "licence_checked_on": self._ago(dice.below(given["oldest_licence_check_days"])),
            "insured_until": self._lasts_until(),
            "insured_for_volunteering": _yes(dice.chance(given["insured_for_volunteering"])),
            "mot_until": self._lasts_until(),
        }

    def _lasts_until(self) -> str:
        over = self.dice.chance(self.checks["out_of_date"])
        return self._ago(self.dice.between(1, 60) if over else -self.dice.below(365))

    def _limits(self, council: str) -> Row:
        given, dice = self.offer, self.dice
        return {
            "religion": dice.pick(given["religion"]),
            "needs_trained": self._some_needs(self.needs["trained"]),
            "needs_accepted": self._some_needs(self.needs["accepted"]),
            "commitment_until": self._ago(-30 * int(dice.pick(given["commitment_months"])) - dice.below(180)),
            "youngest_age": dice.pick(given["youngest"]),
            "oldest_age": dice.pick(given["oldest"]),
            "areas": council if dice.chance(given["own_council_only"]) else "",
        }

    def _some_needs(self, how_many: Mapping[str, int]) -> str:
        return "; ".join(sorted(self.dice.some(_NEEDS, int(self.dice.pick(how_many))))) or "none"

    def _ago(self, days: int) -> str:
        when = self.as_of - timedelta(days)
        return f"{when.day:02d}/{when.month:02d}/{when.year:04d}"


def _yes(said: bool) -> str:
    return "yes" if said else "no"

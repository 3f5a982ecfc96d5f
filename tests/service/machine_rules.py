"""What is in the database, read plainly, and what the rules say of it: written from the policies, not from the code.

Nothing here calls the matcher or the service but to decrypt. Each rule is a few lines over the facts as they are kept,
in the words of the policies; of those that the machine's people never differ in there is none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from math import asin, cos, radians, sin, sqrt
from types import SimpleNamespace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from service.crypto import KeyRing, Place
from service.database import tables

BEFORE = ("proposed", "volunteer considers", "child considers", "meeting", "child thinks it over", "agreed")
GOES_ON = ("appointed", "active", "review due")
LIVE = (*BEFORE, *GOES_ON, "paused")
BEGUN = (*GOES_ON, "paused", "ended")
HELD = (*LIVE, "ended")
STOPPED = ("suspended", "withdrawn", "resigned")
CORE = frozenset({
    "approved", "dbs_current", "references", "training", "child_agrees", "safeguarding_hold", "still_looked_after",
    "independent_of_authority", "independent_of_provider", "sibling_history",
})  # fmt: skip
ABOUT_VOLUNTEER = frozenset({"approved", "dbs_current", "references", "training"})


@dataclass
class Now:
    """One authority's rows at one moment."""

    day: date
    version: int
    policy: dict[str, Any]
    children: dict[str, Any]
    volunteers: dict[str, Any]
    matches: dict[str, Any]
    declined: frozenset[tuple[str, str]]
    exceptions: tuple[tuple[str, str, str | None, int | None], ...]
    budgets: dict[str, tuple[int | None, int]]
    names: dict[str, str] = field(default_factory=dict)
    """The names of now of organisations, by former ones."""

    @property
    def read_by_matching(self) -> str:
        """All of it, to see whether it is another."""
        parts = (self.policy, self.children, self.volunteers, self.matches, self.budgets, self.names)
        left_out = {"version"}
        plain = [{key: {k: v for k, v in vars(one).items() if k not in left_out} if isinstance(one, SimpleNamespace)
                  else one for key, one in part.items()} for part in parts]  # fmt: skip
        return json.dumps([plain, sorted(self.declined), sorted(map(repr, self.exceptions))], default=str)

    def live(self, **of: str) -> list[Any]:
        return [one for one in self.matches.values()
                if one.state in LIVE and all(getattr(one, name) == id for name, id in of.items())]  # fmt: skip

    def limit(self, path: str) -> Any:
        section, entry, name = path.split(".")
        return self.policy[section][entry][name]

    def on(self, entry: str) -> bool:
        return bool(self.policy["rules"].get(entry, {}).get("on", True))

    def allowed(self, volunteer: str) -> int:
        """How many children at once the policy and the exceptions in force give a volunteer."""
        more = [value or 2 for kind, who, _, value in self.exceptions if (kind, who) == ("second child", volunteer)]
        return max([self.limit("constraints.capacity.children"), *more])


def read(session: Session, keys: KeyRing, authority: str, day: date) -> Now:
    def facts(table: str, row: Any) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(keys.open(row.facts, Place(table, row.id, "facts")))
        return told

    known = {row.id: row.known for row in session.scalars(select(tables.Family))}
    children = {
        row.id: SimpleNamespace(
            id=row.id, reference=row.reference, family=row.family_id, known=known[row.family_id], objects=row.objects,
            referral=row.referral, facts=facts("children", row), version=row.version,
        )
        for row in session.scalars(select(tables.Child))
    }  # fmt: skip
    volunteers = {
        row.id: SimpleNamespace(id=row.id, reference=row.reference, status=row.status, capacity=row.capacity,
                                facts=facts("volunteers", row), version=row.version)
        for row in session.scalars(select(tables.Volunteer))
    }  # fmt: skip
    matches = {
        row.id: SimpleNamespace(
            id=row.id, child=row.child_id, volunteer=row.volunteer_id, state=row.state, place=row.place,
            irregular=row.irregular, since=row.since, started_on=row.started_on, ended_on=row.ended_on,
            version=row.version,
        )
        for row in session.scalars(select(tables.Match))
    }  # fmt: skip
    policy = session.scalars(select(tables.Policy.content).order_by(tables.Policy.number.desc()).limit(1)).one()
    in_force = select(tables.RecordedException).where(tables.RecordedException.withdrawn_on.is_(None))
    organisations = session.scalars(select(tables.Organisation))
    own = select(func.max(tables.Authority.data_version)).where(tables.Authority.id == authority)
    return Now(
        day, session.scalar(own) or 0, json.loads(policy)["sections"], children, volunteers, matches,
        frozenset((row.child_id, row.volunteer_id) for row in session.scalars(select(tables.Declined))),
        tuple((row.kind, row.volunteer_id, row.child_id, row.value) for row in session.scalars(in_force)),
        {row.code: (row.budget_pence, row.spent_pence) for row in session.scalars(select(tables.Budget))},
        {former.casefold(): row.name.casefold() for row in organisations for former in row.former},
    )  # fmt: skip


# ---- days ------------------------------------------------------------------------------------------------------------


def day_of(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def years_on(born: date, years: int) -> date:
    """A birthday; one of 29 February falls on 1 March in other years."""
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        return date(born.year + years, 3, 1)


# ---- rules -----------------------------------------------------------------------------------------------------------


def broken(now: Now, child_id: str, volunteer_id: str, of: str = "") -> set[str]:
    """The rules that a pair breaks, `of` being the id of its own match if there is one.

    Of a child of whom there is no referral, what is known of the volunteer and of the family counts alone.
    """
    child, volunteer = now.children[child_id], now.volunteers[volunteer_id]
    found = set(_about_volunteer(now, volunteer))
    if child.referral:
        found |= set(_about_child(now, child)) | set(_about_both(now, child, volunteer, of))
    if _sibling_visited(now, child, volunteer_id, may_be=child.referral):
        found.add("sibling_history")
    return found


def _about_volunteer(now: Now, volunteer: Any) -> Iterator[str]:
    facts, day = volunteer.facts, now.day
    signed, checked = day_of(facts["agreement_signed_on"]), day_of(facts["dbs_checked_on"])
    if volunteer.status != "approved" or signed is None or signed > day:
        yield "approved"
    due = years_on(checked, now.limit("rules.dbs_current.years")) if checked else None
    if checked is None or due is None or not checked <= day < due:
        yield "dbs_current"
    if (facts["references_accepted"] or 0) < now.limit("rules.references.accepted"):
        yield "references"
    trained = [day_of(facts[f"{which}_training_on"]) for which in ("core", "safeguarding")]
    if any(one is None or one > day for one in trained):
        yield "training"
    born = day_of(facts["date_of_birth"])
    if now.on("minimum_age") and (born is None or not years_on(born, now.limit("rules.minimum_age.years")) < day):
        yield "minimum_age"


def _about_child(now: Now, child: Any) -> Iterator[str]:
    facts = child.facts
    if facts["agrees"] != "yes":
        yield "child_agrees"
    if facts["safeguarding_issue"] is not False:
        yield "safeguarding_hold"
    after_care = now.limit("rules.still_looked_after.after_care") == "if_agreed" and facts["looked_after"] is False
    if facts["looked_after"] is not True and not (after_care and facts["continuing_agreed"] is True):
        yield "still_looked_after"
    born, referred = day_of(facts["date_of_birth"]), day_of(facts["referred_on"])
    support = now.limit("rules.referral_age.support_years")
    young = born and referred and referred < years_on(born, now.limit("rules.referral_age.years"))
    if not young or born is None or now.day >= years_on(born, support):
        yield "referral_age"


def _about_both(now: Now, child: Any, volunteer: Any, of: str) -> Iterator[str]:
    one, other = child.facts, volunteer.facts
    connected = other["connected_authorities"]
    if connected is None or one["responsible_authority"] is None or one["responsible_authority"] in connected:
        yield "independent_of_authority"
    if _one_organisation(now, one["provider"], other["organisations"]):
        yield "independent_of_provider"
    born, older = day_of(one["date_of_birth"]), day_of(other["date_of_birth"])
    if born is None or older is None or years_on(older, now.limit("rules.age_gap.years")) > born:
        yield "age_gap"
    gender = one["requested_gender"]
    if gender and one["requested_gender_strength"] == "essential" and gender != other["gender"]:
        yield "requested_gender"
    relatives = {whom for kind, who, whom, _ in now.exceptions if (kind, who) == ("relative as visitor", volunteer.id)}
    if other["known_children"] is None or (child.id in other["known_children"] and child.id not in relatives):
        yield "known_to_child"
    others = [match for match in now.matches.values() if match.id != of]
    pair = child.id, volunteer.id
    if pair in now.declined or any((match.child, match.volunteer) == pair and match.state in BEGUN for match in others):
        yield "not_declined"
    if sum(match.volunteer == volunteer.id and match.state in (*GOES_ON, "paused") for match in others) >= now.allowed(
        volunteer.id
    ):
        yield "capacity"
    budget, spent = now.budgets.get(one["responsible_authority"] or "", (None, 0))
    cost = cost_of(now, child.id, volunteer.id)
    paid = of and now.matches[of].state not in BEFORE
    if cost and not paid and (budget is None or cost > budget - spent):
        yield "out_of_county_budget"


def _one_organisation(now: Now, provider: list[str] | None, organisations: list[str] | None) -> bool:
    """Whether they are one, or may be: not recorded, or one name within the other."""
    if provider is None or organisations is None:
        return True
    mine, theirs = (_names(now, names) for names in (provider, organisations))
    return any(one in other or other in one for one in mine for other in theirs)


def _names(now: Now, names: list[str]) -> set[str]:
    """With the name of now of whatever one of them may be a former name of."""
    given = {name.casefold() for name in names}
    return given | {new for name in given for former, new in now.names.items() if former in name or name in former}


def _sibling_visited(now: Now, child: Any, volunteer: str, *, may_be: bool) -> bool:
    """Whether the volunteer visits or visited a sibling; with `may_be`, whether nobody can tell that they did not."""
    visited = {match.child for match in now.matches.values() if match.volunteer == volunteer and match.state in BEGUN}
    others = [now.children[id] for id in visited - {child.id}]
    if any(other.family == child.family for other in others):
        return True
    return may_be and (not child.known or any(not other.known for other in others))


# ---- money -----------------------------------------------------------------------------------------------------------


def cost_of(now: Now, child_id: str, volunteer_id: str) -> int:
    """Pence a year of a match outside the county, there and back by the straight line; 0 within it."""
    one, other = now.children[child_id].facts, now.volunteers[volunteer_id].facts
    rates = now.policy["constraints"]["out_of_county_budget"]
    here, there = one["placement"], other["home"]
    if not rates.get("on", True) or one["placement_council"] == one["responsible_authority"] or not (here and there):
        return 0
    metres = round(_metres(here["latitude"], here["longitude"], there["latitude"], there["longitude"]))
    return int(2 * metres / 1609.344 * rates["pence_a_mile"] * rates["visits_a_year"])


def _metres(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    phi1, lambda1, phi2, lambda2 = map(radians, (lat1, lon1, lat2, lon2))
    half = sin((phi2 - phi1) / 2) ** 2 + cos(phi1) * cos(phi2) * sin((lambda2 - lambda1) / 2) ** 2
    return 2 * 6_371_008.8 * asin(sqrt(half))

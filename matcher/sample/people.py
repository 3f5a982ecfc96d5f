"""The people of a sample, and what has been between them, as rows of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from matcher.sample import figures
from matcher.sample.dice import Dice
from matcher.sample.figures import Population
from matcher.sample.papers import SamplePapers
from matcher.sample.places import SamplePlaces
from matcher.sample.wishes import SampleWishes

Row = dict[str, str]
"""A row of a sheet: the text of each cell under its heading, empty where nothing is recorded."""

# What may be left blank. A council knows the others of a child it looks after, and a blank would only lose the row.
_CHILD_BLANKS = (
    "gender", "placement_type", "culture_request", "languages", "interests", "agrees", "parental_contact",
    "unaccompanied", "referred_on", "additional_needs", "provider", "looked_after", "safeguarding_issue",
)  # fmt: skip
_VOLUNTEER_BLANKS = (
    "date_of_birth", "gender", "ethnicity", "languages", "interests", "agreement_signed_on", "dbs_checked_on",
    "connected_authorities", "travel_limit_miles", "references_accepted", "organisations", "needs_accepted",
    "commitment_until",
)  # fmt: skip


class _Made(NamedTuple):
    """A row, and for how many days its child has waited or its volunteer has been signed up."""

    row: Row
    days: int


class SamplePeople:
    """Makes the rows, sheet by sheet."""

    def __init__(self, seed: int, as_of: date, county: str) -> None:
        self.dice, self.as_of = Dice(seed), as_of
        self.given = figures.assumptions()
        self.papers = SamplePapers(self.dice, as_of, self.given)
        self.wishes = SampleWishes(Dice(2**32 + seed), self.given)
        self.councils, self.names = figures.councils(county)
        self.places = SamplePlaces(self.councils)
        self.residents = figures.residents(self.councils)
        self.kinds = figures.populations()

    def tables(self, n_children: int, n_volunteers: int) -> dict[str, list[Row]]:
        children: list[_Made] = []
        while len(children) < n_children:
            children += self._family(len(children) + 1)
        children = children[:n_children]
        volunteers = [self._volunteer(number) for number in range(1, n_volunteers + 1)]
        matches = self._matches(children, volunteers)
        made = {
            "children": [child.row for child in children],
            "volunteers": [volunteer.row for volunteer in volunteers],
            "matches": matches,
            "exceptions": self._exceptions(children, volunteers),
            "declined": self._declined(children, volunteers),
            "authorities": self._authorities(children),
        }
        self.wishes.fill(made["children"], made["volunteers"], matches)
        made["exceptions"] += self.wishes.second_children(matches, self._ago(30))
        return made

    # ---- children --------------------------------------------------------------------------------------------------

    def _family(self, first: int) -> list[_Made]:
        """The children of one family who wait; `first` is the number of the first of them."""
        given, dice = self.given["children"], self.dice
        # Families are drawn, children are counted: an unaccompanied child is a family of one, the others have siblings.
        sizes = {int(size): share for size, share in given["families"].items()}
        waiting = sum(size * share for size, share in sizes.items())
        alone = dice.pick(
            {True: self.kinds[True].children * waiting, False: self.kinds[False].children * sum(sizes.values())}
        )
        kind, size = self.kinds[alone], 1 if alone else dice.pick(sizes)
        authority, ethnicity = dice.pick(self.councils), dice.pick(kind.ethnicity)
        known = size > 1 or (not alone and dice.chance(given["sibling_elsewhere"]))
        waited = int(given["longest_wait_days"] * dice.share() ** 2)
        shared = self._languages(ethnicity, given["heritage_language"], alone=alone) | {
            "responsible_authority": self.names[authority],
            "ethnicity": ethnicity,
            "family": f"F{first:04d}" if known else "none",
            "unaccompanied": "yes" if alone else "no",
        }
        home, births, made = self._placement(kind, authority), list[date](), []
        for number in range(first, first + size):
            together = number == first or dice.chance(given["siblings_together"])
            type_, outcode = home if together else self._placement(kind, authority)
            births.append(self._birth(dice.pick(kind.ages(type_)), births, alone=alone))
            row = shared | self._wishes(gender := dice.pick(kind.gender), ethnicity) | self._contact(alone=alone)
            row |= {
                "child_id": f"C{number:04d}",
                "date_of_birth": _day(births[-1]),
                "gender": gender,
                "placement": outcode,
                "placement_council": self.places.council(outcode),
                "placement_type": type_,
                "interests": self._interests("children"),
            }
            # Nobody is referred before the fifth birthday.
            days = min(waited, (self.as_of - _years_after(births[-1], 5)).days)
            row["referred_on"] = self._ago(days)
            away = row["placement_council"] != row["responsible_authority"]
            lived = (self.as_of - births[-1]).days
            row |= self.papers.of_child(type_, alone=alone, away=away, waited=days, lived=lived)
            self._forget(row, _CHILD_BLANKS if known else (*_CHILD_BLANKS, "family"), given["not_recorded"])
            made.append(_Made(row, days))
        return made

    def _placement(self, kind: Population, authority: str) -> tuple[str, str]:
        """A type of placement, and the outcode where it is."""
        type_ = self.dice.pick(kind.placement)
        boundary, distance = self.dice.pick(figures.distances(type_))
        homes = self.places.placements(authority, boundary, distance, self.given["placements"]["furthest_miles"])
        return type_, self.dice.pick(homes[self.dice.below(len(homes))])

    def _birth(self, band: str, siblings: Sequence[date], *, alone: bool) -> date:
        """A birthday in the band, not within months of a sibling's; or, where that fails, a twin's."""
        least, most = _band(band)
        if alone:
            least = max(least, self.given["children"]["youngest_unaccompanied"])
        apart = self.given["children"]["days_between_siblings"]
        for _ in range(20):
            born = self._born(least, most)
            if all(abs((born - other).days) >= apart for other in siblings):
                return born
        in_band = [other for other in siblings if least <= _age(other, self.as_of) <= most]
        return in_band[0] if in_band else born

    def _wishes(self, gender: str, ethnicity: str) -> Row:
        given, dice = self.given["children"], self.dice
        minority = ethnicity not in ("WBRI", "REFU", "NOBT")
        row = {
            "agrees": dice.pick(given["agrees"]),
            "culture_request": dice.pick(given["culture_request_minority" if minority else "culture_request"]),
        }
        if dice.chance(given["asks_for_gender"]):
            other = {"female": "male", "male": "female"}[gender]
            row["requested_gender"] = gender if dice.chance(given["own_gender"]) else other
            row["requested_gender_strength"] = dice.pick(given["gender_strength"])
        return row

    def _contact(self, *, alone: bool) -> Row:
        given = self.given["children"]
        contact = self.dice.pick(given["contact_unaccompanied" if alone else "contact"])
        known = not alone and self.dice.chance(given["last_visit_known"][contact])
        last = self._ago(self.dice.between(*given["last_visit_days"][contact])) if known else ""
        return {"parental_contact": contact, "last_parental_visit": last}

    def _languages(self, ethnicity: str, heritage: int, *, alone: bool = False) -> Row:
        """Languages, and the one that is needed: English and, `heritage` times in a hundred, one's own."""
        own = self.dice.pick(shares) if (shares := figures.heritage_languages(ethnicity, alone)) else ""
        if not own or not (alone or self.dice.chance(heritage)):
            return {"languages": "English"}
        if not alone:
            return {"languages": f"English; {own}"}
        given = self.given["unaccompanied"]
        english = self.dice.chance(given["speaks_english"])
        needed = not english or self.dice.chance(given["needs_own_language"])
        return {"languages": f"English; {own}" if english else own, "needed_languages": own if needed else ""}

    def _interests(self, whose: str) -> str:
        count = int(self.dice.pick(self.given[whose]["interests"]))
        return "; ".join(sorted(self.dice.some(figures.interests(whose), count))) or "none"

    # ---- volunteers ------------------------------------------------------------------------------------------------

    def _volunteer(self, number: int) -> _Made:
        given, dice = self.given["volunteers"], self.dice
        ethnicity, status = dice.pick(self.residents), dice.pick(given["status"])
        ages = (20, 20) if dice.chance(given["under_21"]) else _band(dice.pick(given["ages"]))
        inside = dice.chance(given["home_in_county"])
        homes = self.places.homes if inside else self.places.neighbours(given["neighbouring_miles"])
        born = self._born(*ages)
        adult = (self.as_of - _years_after(born, 20)).days  # nobody is checked or signs before the 20th birthday
        checked = min(dice.below(given["oldest_check_days"]), adult)
        # One signs some weeks after the first check; a check that was renewed is three years younger than the first.
        signed = max(checked - dice.between(14, 90) + 3 * 365 * dice.chance(given["check_renewed"]), 0)
        signed = min(signed, adult)
        row = self._languages(ethnicity, given["heritage_language"]) | {
            "volunteer_id": f"V{number:04d}",
            "date_of_birth": _day(born),
            "gender": dice.pick(given["gender"]),
            "home": homes[dice.below(len(homes))],
            "ethnicity": ethnicity,
            "interests": self._interests("volunteers"),
            "status": status,
            "agreement_signed_on": "" if status == "applicant" else self._ago(signed),
            "dbs_checked_on": self._ago(checked),
            "connected_authorities": self._connected(),
            "travel_limit_miles": dice.pick(given["travel_miles"]),
        }
        row |= self.papers.of_volunteer(
            applies=status == "applicant", signed=signed, checked=checked, council=self.places.council(row["home"])
        )
        self._forget(row, _VOLUNTEER_BLANKS, given["not_recorded"])
        return _Made(row, signed)

    def _connected(self) -> str:
        given = self.given["volunteers"]
        if self.dice.chance(given["connected"]):
            return self.names[self.dice.pick(self.councils)]
        if self.dice.chance(given["connected_elsewhere"]):
            near = self.places.neighbours(given["neighbouring_miles"])
            return self.places.council(near[self.dice.below(len(near))])
        return "none"

    # ---- what has been between them --------------------------------------------------------------------------------

    def _matches(self, children: Sequence[_Made], volunteers: Sequence[_Made]) -> list[Row]:
        """Appointments, mostly of children who wait no longer: they have ids of their own (M0001)."""
        given, dice = self.given["matches"], self.dice
        families = {child.row["family"]: 1 for child in children if child.row["family"] not in ("", "none")}
        matches: list[Row] = []
        for volunteer in volunteers:
            if volunteer.row["status"] == "applicant" or not dice.chance(given["volunteers_with_one"]):
                continue
            current = volunteer.row["status"] == "approved" and dice.chance(given["current"])
            child, family, free = f"M{len(matches) + 1:04d}", "none", 0
            again = None if current else self._waiting_again(children, volunteer.days)
            if again:
                child, family, free = again.row["child_id"], again.row["family"], again.days
            elif families and dice.chance(given["sibling_waiting"]):
                family = dice.pick(families)
            ended = dice.between(free, max(volunteer.days, free))
            started = dice.between(0 if current else ended, max(volunteer.days, ended))
            row = {
                "child_id": child,
                "volunteer_id": volunteer.row["volunteer_id"],
                "family": family,
                "started_on": self._ago(started),
            }
            over = {"status": "ended", "ended_on": self._ago(ended), "ended_by": dice.pick(given["ended_by"])}
            matches.append(row | ({"status": "current"} if current else over))
            volunteer.row["support_sessions"] = self.papers.support_sessions()
        return matches

    def _exceptions(self, children: Sequence[_Made], volunteers: Sequence[_Made]) -> list[Row]:
        """Relatives and friends of children who wait, a few of them allowed to visit, and shorter offers taken."""
        given, dice = self.given["exceptions"], self.dice
        rows = []
        for volunteer in volunteers:
            allowed = {"volunteer_id": volunteer.row["volunteer_id"], "approved_by": "Team manager",
                       "approved_on": self._ago(dice.below(60))}  # fmt: skip
            if dice.chance(given["relatives"]):
                child = children[dice.below(len(children))].row["child_id"]
                volunteer.row["known_children"] = child
                if dice.chance(given["relatives_allowed"]):
                    reason = "The child wishes for it"
                    rows.append(allowed | {"kind": "relative as visitor", "child_id": child, "reason": reason})
            if dice.chance(given["shorter_commitments"]):
                reason = "A shorter match is of use too"
                rows.append(allowed | {"kind": "shorter commitment", "value": "6", "reason": reason})
        return rows

    def _waiting_again(self, children: Sequence[_Made], signed: int) -> _Made | None:
        """A child who may have been referred again after a match with somebody who signed so many days ago."""
        if not self.dice.chance(self.given["matches"]["child_still_waiting"]):
            return None
        able = [child for child in children if child.row["family"] and child.days < signed]
        return able[self.dice.below(len(able))] if able else None

    def _declined(self, children: Sequence[_Made], volunteers: Sequence[_Made]) -> list[Row]:
        given, dice = self.given["declined"], self.dice
        pairs: dict[tuple[str, str], Row] = {}
        for _ in range(len(children) * given["per_hundred_children"] // 100):
            child, volunteer = children[dice.below(len(children))], volunteers[dice.below(len(volunteers))]
            pair = child.row["child_id"], volunteer.row["volunteer_id"]
            pairs[pair] = {
                "child_id": pair[0],
                "volunteer_id": pair[1],
                "declined_by": dice.pick(given["by"]),
                "declined_on": self._ago(dice.between(0, min(child.days, volunteer.days))),
                "reason": dice.pick(given["reason"]),
            }
        return [pairs[pair] for pair in sorted(pairs)]

    def _authorities(self, children: Sequence[_Made]) -> list[Row]:
        given = self.given["authorities"]
        rows = []
        for name in (self.names[code] for code in self.councils):
            waiting = sum(child.row["responsible_authority"] == name for child in children)
            budget = given["budget_pounds_a_child"] * waiting
            spent = budget * given["spent"] // 100
            rows.append({"authority": name, "budget_pounds": str(budget), "spent_pounds": str(spent)})
        return rows

    # ---- days and blanks -------------------------------------------------------------------------------------------

    def _born(self, least: int, most: int) -> date:
        """A day of birth of somebody who is between `least` and `most` years old, each as likely."""
        youngest, too_old = _years_before(self.as_of, least), _years_before(self.as_of, most + 1)
        return youngest - timedelta(self.dice.below((youngest - too_old).days))

    def _ago(self, days: int) -> str:
        return _day(self.as_of - timedelta(days))

    def _forget(self, row: Row, columns: Iterable[str], in_a_hundred: int) -> None:
        for column in columns:
            if self.dice.chance(in_a_hundred):
                row[column] = ""


def _day(when: date) -> str:
    return f"{when.day:02d}/{when.month:02d}/{when.year:04d}"


def _band(text: str) -> tuple[int, int]:
    """Completed years, from and to: 5-9."""
    least, most = text.split("-")
    return int(least), int(most)


def _years_before(when: date, years: int) -> date:
    """The birthday of somebody who turns `years` on that day: the last, for who was born on 29 February."""
    try:
        return when.replace(year=when.year - years)
    except ValueError:
        return date(when.year - years, 2, 28)


def _years_after(when: date, years: int) -> date:
    try:
        return when.replace(year=when.year + years)
    except ValueError:
        return date(when.year + years, 3, 1)


def _age(born: date, as_of: date) -> int:
    return as_of.year - born.year - (_years_after(born, as_of.year - born.year) > as_of)

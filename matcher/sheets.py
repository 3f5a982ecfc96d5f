"""The sheets that Kith reads: which columns they have, what each means, and what may stand in it.

One description serves everything: it validates what comes in, is printed by `kith check`'s messages, and documents the
columns in `docs/columns.md`. A blank cell means *not recorded*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from matcher import cells
from matcher.records import (
    Agreement,
    Authority,
    Child,
    Contact,
    Declined,
    Gender,
    Match,
    MatchStatus,
    Party,
    Status,
    Strength,
    Volunteer,
)


@dataclass(frozen=True)
class Column:
    """One column: its heading, the record's field, how a cell is read, and what to tell a person who fills it."""

    name: str
    read: Callable[[str], Any]
    means: str
    example: str
    field: str = ""
    required: bool = False
    """Whether a row without it cannot be read at all. Other blanks are facts that are not recorded."""
    optional: bool = False
    """Whether a blank is an answer of its own (no wish, not ended yet) rather than a fact that is missing."""

    @property
    def to(self) -> str:
        """The record's field that the column fills."""
        return self.field or self.name

    @property
    def is_date(self) -> bool:
        return self.read is cells.day

    @property
    def options(self) -> tuple[str, ...]:
        """The words of which a cell holds one, for a drop-down list; none where it may say anything."""
        if self.read is cells.yes_or_no:
            return ("yes", "no")
        return tuple(self.read.kind) if isinstance(self.read, cells.OneOf) else ()


@dataclass(frozen=True)
class Sheet:
    """One file: its columns, the record that a row becomes, and what is completed once the cells are read."""

    name: str
    record: Callable[..., Any]
    columns: tuple[Column, ...]
    means: str
    needed: bool = False
    complete: Callable[[dict[str, Any]], tuple[str, str] | None] | None = None
    """Fills in what follows from other cells; a (column, sentence) tells the reader of what was derived."""

    @property
    def file(self) -> str:
        return f"{self.name}.csv"

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


_GENDER = cells.one_of(
    Gender,
    {
        "f": Gender.FEMALE, "girl": Gender.FEMALE, "woman": Gender.FEMALE,
        "m": Gender.MALE, "boy": Gender.MALE, "man": Gender.MALE,
        "non-binary": Gender.OTHER, "another": Gender.OTHER,
    },
)  # fmt: skip
_STRENGTH = cells.one_of(
    Strength, {"none": Strength.NONE, "n": Strength.NONE, "yes": Strength.PREFERRED, "must": Strength.ESSENTIAL}
)
_AGREES = cells.one_of(Agreement, {"y": Agreement.YES, "n": Agreement.NO, "not yet": Agreement.NOT_ASKED})
_FAMILY = Column(
    "family", cells.reference, "A reference that brothers and sisters share; none if the child has none", "F012"
)  # fmt: skip
_CHILD_ID = Column("child_id", cells.reference, "The child's reference, never a name", "C001", "id", required=True)
_VOLUNTEER_ID = Column(
    "volunteer_id", cells.reference, "The volunteer's reference, never a name", "V001", "id", required=True
)  # fmt: skip


def _complete_child(facts: dict[str, Any]) -> tuple[str, str] | None:
    _complete_family(facts, facts["id"])
    if facts["requested_gender"] is not None and facts["requested_gender_strength"] is None:
        facts["requested_gender_strength"] = Strength.ESSENTIAL  # a wish is kept as the child's until told otherwise
    facts["requested_gender_strength"] = facts["requested_gender_strength"] or Strength.NONE
    facts["needed_languages"] = facts["needed_languages"] or ()
    place = facts["placement"]
    if facts["placement_council"] is None and place is not None and place.council is not None:
        facts["placement_council"] = place.council
        return "placement_council", f"is blank: taken from {place.text}, most of which lies there"
    return None


def _complete_family(facts: dict[str, Any], child: str) -> None:
    if facts["family"] is not None and facts["family"].casefold() == "none":
        facts["family"] = child


def _complete_match(facts: dict[str, Any]) -> None:
    _complete_family(facts, facts["child"])


CHILDREN = Sheet(
    "children",
    Child,
    (
        _CHILD_ID,
        Column("date_of_birth", cells.day, "Date of birth, day first", "03/05/2012"),
        Column("gender", _GENDER, "female, male or other", "female"),
        Column("responsible_authority", cells.council, "The council that looks after the child: name or ONS code",
               "West Northamptonshire"),
        Column("placement", cells.place, "Where the child lives: outcode, postcode, or latitude and longitude", "NN1"),
        Column("placement_council", cells.council, "The council in which the child lives; if blank, the one in which "
               "most of the outcode lies", "West Northamptonshire", optional=True),
        Column("placement_type", cells.reference, "Foster care, children's home, …: told, not used by a rule",
               "foster care", optional=True),
        _FAMILY,
        Column("ethnicity", cells.ethnicity, "SSDA903 code or name", "WBRI"),
        Column("culture_request", _STRENGTH, "Does the child ask for a visitor of like culture? no, preferred or "
               "essential", "no", optional=True),
        Column("languages", cells.languages, "Languages in which the child can talk", "English; Tigrinya"),
        Column("needed_languages", cells.languages, "If the child needs one: the visitor must speak one of these",
               "Tigrinya", optional=True),
        Column("interests", cells.interests, "Interests and hobbies, between semicolons; none if there are none",
               "football; baking"),
        Column("agrees", _AGREES, "Has the child agreed to have a visitor? yes, no or not asked", "yes"),
        Column("requested_gender", _GENDER, "The gender that the child asks for; blank if any", "female", optional=True),
        Column("requested_gender_strength", _STRENGTH, "preferred or essential; a request without it counts as "
               "essential", "essential", optional=True),
        Column("parental_contact", cells.one_of(Contact), "Contact with parents: none, infrequent or regular", "none"),
        Column("last_parental_visit", cells.day, "When a parent last visited", "14/02/2025", optional=True),
        Column("unaccompanied", cells.yes_or_no, "An unaccompanied asylum-seeking child? yes or no", "no"),
        Column("referred_on", cells.day, "Date of the referral", "01/04/2026"),
    ),
    "The children who wait for a visitor, one a row",
    needed=True,
    complete=_complete_child,
)  # fmt: skip

VOLUNTEERS = Sheet(
    "volunteers",
    Volunteer,
    (
        _VOLUNTEER_ID,
        Column("date_of_birth", cells.day, "Date of birth, day first", "21/09/1988"),
        Column("gender", _GENDER, "female, male or other", "male"),
        Column("home", cells.place, "Where the volunteer lives: outcode, postcode, or latitude and longitude", "NN4"),
        Column("ethnicity", cells.ethnicity, "SSDA903 code or name", "BCRB"),
        Column("languages", cells.languages, "Languages that the volunteer speaks well", "English; Polish"),
        Column("interests", cells.interests, "Interests and hobbies, between semicolons", "chess; hiking"),
        Column("status", cells.one_of(Status), "applicant, approved, suspended, withdrawn or resigned", "approved"),
        Column("agreement_signed_on", cells.day, "When the volunteer agreement was signed", "10/01/2026"),
        Column("dbs_checked_on", cells.day, "Date of the enhanced DBS and barring check", "02/12/2025"),
        Column("connected_authorities", cells.councils, "Councils of which the volunteer is a member or a children's "
               "services officer, or lives with one; none if none", "none"),
        Column("travel_limit_miles", cells.miles, "How far the volunteer travels, in miles", "15",
               "travel_limit_metres"),
    ),
    "The volunteers, whatever their status, one a row",
    needed=True,
)  # fmt: skip

MATCHES = Sheet(
    "matches",
    Match,
    (
        replace(_CHILD_ID, field="child"),
        replace(_VOLUNTEER_ID, field="volunteer"),
        Column("status", cells.one_of(MatchStatus, {"past": MatchStatus.ENDED}), "current or ended", "current",
               required=True),
        replace(_FAMILY, means=_FAMILY.means + "; needed where the child is not in children.csv"),
        Column("started_on", cells.day, "When the volunteer was appointed", "01/09/2024"),
        Column("ended_on", cells.day, "When the match ended", "30/06/2026", optional=True),
        Column("ended_by", cells.one_of(Party, {"visitor": Party.VOLUNTEER}), "child, volunteer, social worker, "
               "authority or planned", "planned", optional=True),
    ),
    "Appointments, current and past: they keep siblings apart and volunteers from being given twice",
    complete=_complete_match,
)  # fmt: skip

DECLINED = Sheet(
    "declined",
    Declined,
    (
        replace(_CHILD_ID, field="child"),
        replace(_VOLUNTEER_ID, field="volunteer"),
        Column("declined_by", cells.one_of(Party, {"visitor": Party.VOLUNTEER}), "Who said no: child, volunteer, "
               "social worker or authority", "child", "by"),
        Column("declined_on", cells.day, "When", "12/05/2026"),
        Column("reason", cells.reference, "Why, in a few words; nobody has to give one", "too far", optional=True),
    ),
    "Pairs that somebody said no to: they are not proposed again",
)  # fmt: skip

AUTHORITIES = Sheet(
    "authorities",
    Authority,
    (
        Column("authority", cells.council, "A responsible authority, by name or ONS code", "West Northamptonshire",
               "code", required=True),
        Column("budget_pounds", cells.pounds, "What it may spend this year on matches outside the county, in pounds",
               "6000", "budget_pence"),
        Column("spent_pounds", cells.pounds, "What is spent or committed of it so far", "1500", "spent_pence",
               required=True),
    ),
    "What each responsible authority may spend on matches outside the county",
)  # fmt: skip

SHEETS = (CHILDREN, VOLUNTEERS, MATCHES, DECLINED, AUTHORITIES)

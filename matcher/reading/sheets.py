"""The sheets that Kith reads: which columns they have, what each means, and what may stand in it.

One description serves everything: it validates what comes in, is printed by `kith check`'s messages, and documents the
columns in `docs/columns.md`. A blank cell means *not recorded*.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from matcher import vocabulary
from matcher.reading import cells
from matcher.records import (
    Agreement,
    Authority,
    Child,
    Contact,
    Declined,
    ExceptionKind,
    Gender,
    Match,
    MatchStatus,
    Need,
    Party,
    Plan,
    RecordedException,
    Rhythm,
    Status,
    Strength,
    Time,
    Volunteer,
)

PROBLEMS = "problems"
"""The heading of the column that Kith writes beside the rows; it is passed over when the file comes back."""


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
    def if_blank(self) -> str:
        """What a blank cell means."""
        return "the row is refused" if self.required else "as it says" if self.optional else "not recorded"

    @property
    def is_date(self) -> bool:
        return self.read is cells.day

    @property
    def options(self) -> tuple[str, ...]:
        """The words of which a cell holds one, for a drop-down list; none where it may say anything."""
        if self.read is cells.yes_or_no:
            return ("yes", "no")
        if self.read is cells.ethnicity:
            return vocabulary.ethnicities()
        if self.read is cells.religion:
            return vocabulary.religions()
        return tuple(str(word) for word in self.read.kind) if isinstance(self.read, cells.OneOf) else ()


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
_NEEDS = cells.SomeOf(Need)
_TIMES = cells.SomeOf(Time)
_AGE = cells.Count("age", 120)
_REFERENCES = cells.Count("number of references", 20)
_SESSIONS = cells.Count("number of support sessions in a year", 366)
_FAMILY = Column(
    "family", cells.family, "A reference that brothers and sisters share; none if the child has none", "F012"
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


def _complete_volunteer(facts: dict[str, Any]) -> None:
    facts["areas"] = facts["areas"] or ()


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
        Column("placement_type", cells.reference, "Foster care, children's home, residential school, …: no rule rests "
               "on it, a priority does", "foster care", optional=True),
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
        Column("requested_gender", _GENDER, "The gender that the child asks for; blank if any", "female",
               optional=True),
        Column("requested_gender_strength", _STRENGTH, "preferred or essential; a request without it counts as "
               "essential", "essential", optional=True),
        Column("parental_contact", cells.one_of(Contact), "Contact with parents: none, infrequent or regular", "none"),
        Column("last_parental_visit", cells.day, "When a parent last visited", "14/02/2025", optional=True),
        Column("unaccompanied", cells.yes_or_no, "An unaccompanied asylum-seeking child? yes or no", "no"),
        Column("referred_on", cells.day, "Date of the referral, from which the wait is counted", "01/04/2026"),
        Column("religion", cells.religion, "A category of the census", "Muslim", optional=True),
        Column("religion_request", _STRENGTH, "Does the child ask for a visitor of their religion? no, preferred or "
               "essential", "no", optional=True),
        Column("additional_needs", _NEEDS, f"Between semicolons: {', '.join(Need)}; none if there are none",
               "autism; sight"),
        Column("provider", cells.organisations, "The voluntary agency or the company of the home in which the child "
               "lives; none for the council's own carers, or family", "Bluebell Homes Ltd"),
        Column("looked_after", cells.yes_or_no, "Is the child still looked after? yes or no", "yes"),
        Column("continuing_agreed", cells.yes_or_no, "If care has ended: do the young person, and all whose word it "
               "needs, agree to a visitor all the same?", "yes", optional=True),
        Column("looked_after_since", cells.day, "Since when the child has been looked after", "15/02/2023"),
        Column("proceedings_concluded", cells.yes_or_no, "Are the care proceedings concluded? yes or no", "yes"),
        Column("long_term_plan", cells.one_of(Plan, {"foster care": Plan.FOSTERING}),
               "The long-term plan: fostering, residential or other", "fostering"),
        Column("placement_move_pending", cells.yes_or_no, "Is the child about to move placement? yes or no", "no"),
        Column("safeguarding_issue", cells.yes_or_no, "Is a serious safeguarding issue unresolved? yes or no", "no"),
        Column("manager_approved", cells.yes_or_no, "Has the team manager approved the referral? yes or no", "yes"),
        Column("funding_agreed", cells.yes_or_no, "If placed out of county: does the manager agree to pay?", "yes",
               optional=True),
        Column("coordinator", cells.reference, "Who is to support the match; blank: it counts in nobody's caseload",
               "Coordinator A", optional=True),
        Column("miles_from_home", cells.miles_apart, "How far the placement is from home, in miles", "12",
               "metres_from_home"),
        Column("cannot_go_out_alone", cells.yes_or_no, "Is the child unable to go out independently, or is it hard for "
               "them to communicate or build relationships? yes or no", "no"),
        Column("at_risk_from_peers", cells.yes_or_no, "Is the child likely to be put at risk by peer pressure or by "
               "older people? yes or no", "no"),
        Column("helps_education_or_health", cells.yes_or_no, "Would a visitor help the child's education or health? "
               "yes or no", "no"),
        Column("likes_care_experience", cells.yes_or_no, "Would the child like a visitor who was in care? yes or no",
               "no", optional=True),
        Column("hoped_visits", cells.one_of(Rhythm), "How often the child hopes for a visit; blank: as the policy "
               "hopes", "fortnightly", optional=True),
        Column("free_times", _TIMES, f"When visits suit, between semicolons: {', '.join(Time)}", "weekend; evening"),
        Column("prefers_from_age", _AGE, "The youngest visitor that the child would like; blank if any", "25",
               optional=True),
        Column("prefers_to_age", _AGE, "The oldest visitor that the child would like; blank if any", "45",
               optional=True),
        Column("fears_animals", cells.yes_or_no, "Does the child fear dogs or other animals? yes or no", "no"),
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
        Column("references_accepted", _REFERENCES, "How many references are accepted", "2"),
        Column("professional_references", _REFERENCES, "How many of these are from an employer, colleague, teacher or "
               "other professional", "1"),
        Column("core_training_on", cells.day, "When the core training was completed", "20/12/2025"),
        Column("safeguarding_training_on", cells.day, "When the safeguarding training was completed", "20/12/2025"),
        Column("right_to_work", cells.yes_or_no, "Is there proof that the volunteer may work here? yes or no", "yes"),
        Column("drives", cells.yes_or_no, "Does the volunteer drive the child? yes or no", "yes"),
        Column("licence_checked_on", cells.day, "When the driving licence was last checked", "05/01/2026",
               optional=True),
        Column("insured_until", cells.day, "The last day of the car's insurance", "30/06/2027", optional=True),
        Column("insured_for_volunteering", cells.yes_or_no, "Does it cover business or volunteer use? yes or no", "yes",
               optional=True),
        Column("mot_until", cells.day, "The last day of the car's MOT; of a car that needs none yet, the last day on "
               "which it needs none", "31/03/2027", optional=True),
        Column("medical_condition", cells.yes_or_no, "Did the volunteer declare a condition that could matter? "
               "yes or no", "no"),
        Column("medical_clearance_on", cells.day, "If so: when the doctor cleared it", "18/12/2025", optional=True),
        Column("database_checked_on", cells.day, "When the authority's social care records were checked", "12/12/2025"),
        Column("support_sessions", _SESSIONS, "If the volunteer has had a match: support sessions in the last twelve "
               "months of visiting", "4", optional=True),
        Column("organisations", cells.organisations, "Providers of care of which the volunteer is a member, patron, "
               "trustee or employee, paid or not; none if none", "none"),
        Column("known_children", cells.references, "Children, by id, of whom the volunteer is a relative or a friend; "
               "none if none", "none"),
        Column("religion", cells.religion, "A category of the census", "Christian", optional=True),
        Column("needs_trained", _NEEDS, "Additional needs for which the volunteer has had specific training, in the "
               "words of the children's sheet; none if none", "autism"),
        Column("needs_accepted", _NEEDS, "Additional needs to which the volunteer says yes; none if none",
               "autism; mobility"),
        Column("commitment_until", cells.day, "Until when the volunteer has committed to visit", "31/12/2028"),
        Column("youngest_age", _AGE, "The youngest age that the volunteer says yes to; blank if any", "8",
               optional=True),
        Column("oldest_age", _AGE, "The oldest age that the volunteer says yes to; blank if any", "15",
               optional=True),
        Column("areas", cells.councils, "Councils in which the volunteer is willing to visit; blank if any",
               "West Northamptonshire", optional=True),
        Column("household", cells.reference, "A reference that volunteers who live together share; blank if none is "
               "known to live there", "H03", optional=True),
        Column("care_experience", cells.yes_or_no, "Was the volunteer in care? yes or no", "no"),
        Column("needs_experience", _NEEDS, "Additional needs with which the volunteer has experience, trained or not; "
               "none if none", "autism"),
        Column("possible_visits", cells.one_of(Rhythm), "How often the volunteer can visit: weekly, fortnightly or "
               "monthly", "fortnightly"),
        Column("free_times", _TIMES, "When the volunteer can visit, in the words of the children's sheet", "weekend"),
        Column("has_dog", cells.yes_or_no, "Does the volunteer bring a dog? yes or no", "no"),
        Column("preferred_gender", _GENDER, "Whom the volunteer would rather visit; blank if anyone", "female",
               optional=True),
        Column("prefers_from_age", _AGE, "The youngest child whom the volunteer would like to visit; blank if "
               "any", "10", optional=True),
        Column("prefers_to_age", _AGE, "The oldest child whom the volunteer would like to visit; blank if any",
               "14", optional=True),
    ),
    "The volunteers, whatever their status, one a row",
    needed=True,
    complete=_complete_volunteer,
)  # fmt: skip

MATCHES = Sheet(
    "matches",
    Match,
    (
        replace(_CHILD_ID, field="child"),
        replace(_VOLUNTEER_ID, field="volunteer"),
        Column("status", cells.one_of(MatchStatus, {"past": MatchStatus.ENDED}), "proposed, agreed, current or ended; "
               "what is proposed or agreed stays in the next plan", "current", required=True),
        replace(_FAMILY, means=_FAMILY.means + "; needed where the child is not among the children"),
        Column("started_on", cells.day, "When the volunteer was appointed", "01/09/2024"),
        Column("ended_on", cells.day, "When the match ended", "30/06/2026", optional=True),
        Column("ended_by", cells.one_of(Party, {"visitor": Party.VOLUNTEER}), "child, volunteer, social worker, "
               "authority or planned", "planned", optional=True),
        Column("coordinator", cells.reference, "Who supports the match; blank: as in the child's row, or nobody",
               "Coordinator A", optional=True),
    ),
    "Matches proposed, agreed, current and past: they keep siblings apart and volunteers from being given twice",
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

EXCEPTIONS = Sheet(
    "exceptions",
    RecordedException,
    (
        Column("kind", cells.one_of(ExceptionKind), f"What is allowed: {', '.join(ExceptionKind)}", "second child",
               required=True),
        replace(_VOLUNTEER_ID, field="volunteer"),
        replace(_CHILD_ID, field="child", required=False, optional=True, means="For a relative: whose visitor they may "
                "be, by reference; otherwise blank"),
        Column("value", cells.count, "Of a second child: how many children at most, 2 if blank; of a shorter "
               "commitment: how many months at least", "2", optional=True),
        Column("reason", cells.sentence, "Why, in a few words", "The first match ends in March", required=True),
        Column("approved_by", cells.sentence, "Who approved it: a name or a role", "Team manager, East", required=True),
        Column("approved_on", cells.day, "When it was approved", "02/10/2026", required=True),
    ),
    "What was allowed in a single case, by whom and why; without it the rule holds",
)  # fmt: skip

SHEETS = (CHILDREN, VOLUNTEERS, MATCHES, DECLINED, AUTHORITIES, EXCEPTIONS)

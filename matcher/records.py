"""Children, volunteers and what has been between them, in the words of the policies.

Records are frozen and hold facts only. `None` means *not recorded*; an empty tuple means *recorded: none*.
The two are never confused: a rule that needs a fact which is not recorded does not pass.
Dates are calendar dates in Europe/London. Codes: councils by their ONS code (E06000061), ethnicity by the
SSDA903 code of the Department for Education (WBRI), languages by BCP 47 tag (ti), interests by the tags
of `vocabularies/interests.toml` (football).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from enum import StrEnum
from operator import attrgetter
from typing import Any


class Gender(StrEnum):
    FEMALE = "female"
    MALE = "male"
    OTHER = "other"


class Agreement(StrEnum):
    """What the child said when asked whether they would like a visitor (Children Act 1989 s.23ZB(6))."""

    YES = "yes"
    NO = "no"
    NOT_ASKED = "not asked"


class Contact(StrEnum):
    """Contact with a parent, or with another person who has parental responsibility."""

    NONE = "none"
    INFREQUENT = "infrequent"
    REGULAR = "regular"


class Need(StrEnum):
    """An additional need of a child, for which a volunteer may be trained and to which they may say yes."""

    AUTISM = "autism"
    BEHAVIOUR = "behaviour"
    COMMUNICATION = "communication"
    HEARING = "hearing"
    LEARNING = "learning disability"
    MEDICAL = "medical"
    MENTAL_HEALTH = "mental health"
    MOBILITY = "mobility"
    SIGHT = "sight"


class Plan(StrEnum):
    """Where the child is to live in the long term, by the care plan."""

    FOSTERING = "fostering"
    RESIDENTIAL = "residential"
    OTHER = "other"


class Rhythm(StrEnum):
    """How often a child hopes for a visit, and how often a volunteer can come."""

    WEEKLY = "weekly"
    FORTNIGHTLY = "fortnightly"
    MONTHLY = "monthly"


class Time(StrEnum):
    """When a visit can be."""

    DAYTIME = "weekday daytime"
    AFTER_SCHOOL = "after school"
    EVENING = "evening"
    WEEKEND = "weekend"
    HOLIDAYS = "school holidays"


class Strength(StrEnum):
    """How much a wish of the child weighs: an essential one is a rule, a preferred one is a score."""

    NONE = "no"
    PREFERRED = "preferred"
    ESSENTIAL = "essential"


class Status(StrEnum):
    """Where a volunteer stands. Only an approved one is matched."""

    APPLICANT = "applicant"
    APPROVED = "approved"
    SUSPENDED = "suspended"
    WITHDRAWN = "withdrawn"
    RESIGNED = "resigned"


class MatchStatus(StrEnum):
    """A proposed or agreed match is not begun yet: it is pinned in the next plan, as long as no rule forbids it."""

    PROPOSED = "proposed"
    AGREED = "agreed"
    CURRENT = "current"
    ENDED = "ended"


class Party(StrEnum):
    """Who said no, or who ended a match."""

    CHILD = "child"
    VOLUNTEER = "volunteer"
    SOCIAL_WORKER = "social worker"
    AUTHORITY = "authority"
    PLANNED = "planned"


class ExceptionKind(StrEnum):
    """What may be allowed in a single case. Core rules have no exception."""

    RELATIVE = "relative as visitor"
    SECOND_CHILD = "second child"
    SHORTER_COMMITMENT = "shorter commitment"


@dataclass(frozen=True)
class Place:
    """A point on the map and how well it is known.

    `text` is what the record said (NN1 4AB, NN1, or a point); `precision` is "postcode", "outcode" or "point".
    `council` is the council that the point lies in, None where that is not known. An outcode's centroid can lie in the
    next council, so a child's `placement_council` is a fact of its own.
    """

    text: str
    latitude: float
    longitude: float
    precision: str
    council: str | None = None


@dataclass(frozen=True)
class Child:
    """A child or young person who waits for an Independent Visitor, with the facts that matching uses."""

    id: str
    date_of_birth: date | None = None
    gender: Gender | None = None
    responsible_authority: str | None = None
    placement: Place | None = None
    placement_council: str | None = None
    placement_type: str | None = None
    family: str | None = None
    """A reference that siblings share. A child known to have none carries their own id."""
    ethnicity: str | None = None
    culture_request: Strength | None = None
    languages: tuple[str, ...] | None = None
    """Languages in which the child can talk."""
    needed_languages: tuple[str, ...] = ()
    """Where given, the visitor must speak one of these; otherwise one of `languages`."""
    interests: tuple[str, ...] | None = None
    agrees: Agreement | None = None
    requested_gender: Gender | None = None
    requested_gender_strength: Strength = Strength.NONE
    parental_contact: Contact | None = None
    last_parental_visit: date | None = None
    unaccompanied: bool | None = None
    referred_on: date | None = None
    religion: str | None = None
    religion_request: Strength | None = None
    additional_needs: tuple[Need, ...] | None = None
    provider: tuple[str, ...] | None = None
    """The organisation that accommodates the child; none where it is the authority's own foster carer, or family."""
    looked_after: bool | None = None
    """Whether the child is still looked after by the responsible authority."""
    continuing_agreed: bool | None = None
    """Where care has ended: whether everyone whose word it needs agrees to a visitor all the same."""
    looked_after_since: date | None = None
    proceedings_concluded: bool | None = None
    long_term_plan: Plan | None = None
    placement_move_pending: bool | None = None
    safeguarding_issue: bool | None = None
    """Whether a serious safeguarding issue of the referral is unresolved."""
    manager_approved: bool | None = None
    funding_agreed: bool | None = None
    coordinator: str | None = None
    """Who supports the child's match; nobody's caseload where it is not recorded."""
    metres_from_home: int | None = None
    cannot_go_out_alone: bool | None = None
    """Or finds it hard to communicate or to build relationships."""
    at_risk_from_peers: bool | None = None
    """Or from older people."""
    helps_education_or_health: bool | None = None
    likes_care_experience: bool | None = None
    """Whether the child would like a visitor who was in care."""
    hoped_visits: Rhythm | None = None
    free_times: tuple[Time, ...] | None = None
    prefers_from_age: int | None = None
    prefers_to_age: int | None = None
    """The youngest and the oldest visitor that the child would like, in completed years."""
    fears_animals: bool | None = None

    @property
    def waits_since(self) -> date | None:
        """The day from which a wait is counted, by the plan in days, on a page in words, in a report in months.

        It is that of the referral. Neither an earlier visitor, nor a proposal that came to nothing, nor a time in which
        the child was not ready begins the count anew.
        """
        return self.referred_on


@dataclass(frozen=True)
class Volunteer:
    """A person who offers to visit. By appointment to a child they become an Independent Visitor."""

    id: str
    date_of_birth: date | None = None
    gender: Gender | None = None
    home: Place | None = None
    ethnicity: str | None = None
    languages: tuple[str, ...] | None = None
    interests: tuple[str, ...] | None = None
    status: Status | None = None
    agreement_signed_on: date | None = None
    dbs_checked_on: date | None = None
    connected_authorities: tuple[str, ...] | None = None
    """Councils of which the volunteer is a member, co-opted member or s.18 officer, or shares a household with one."""
    travel_limit_metres: int | None = None
    references_accepted: int | None = None
    professional_references: int | None = None
    """How many of those accepted come from an employer, colleague, teacher or other professional."""
    core_training_on: date | None = None
    safeguarding_training_on: date | None = None
    right_to_work: bool | None = None
    drives: bool | None = None
    """Whether the volunteer drives the child."""
    licence_checked_on: date | None = None
    insured_until: date | None = None
    insured_for_volunteering: bool | None = None
    """Whether the car's insurance covers business or volunteer use."""
    mot_until: date | None = None
    """The last day of the car's MOT; of a car that needs none yet, the last day on which it needs none."""
    medical_condition: bool | None = None
    """Whether the volunteer declared a condition that could matter for matching."""
    medical_clearance_on: date | None = None
    database_checked_on: date | None = None
    support_sessions: int | None = None
    """How many the volunteer attended in the last twelve months of visiting."""
    organisations: tuple[str, ...] | None = None
    """Providers of care of which the volunteer is a member, patron, trustee or employee, paid or not."""
    known_children: tuple[str, ...] | None = None
    """Ids of children of whom the volunteer is a relative or a friend."""
    religion: str | None = None
    needs_trained: tuple[Need, ...] | None = None
    needs_accepted: tuple[Need, ...] | None = None
    commitment_until: date | None = None
    youngest_age: int | None = None
    oldest_age: int | None = None
    areas: tuple[str, ...] = ()
    """Councils in which the volunteer is willing to visit; anywhere where none is named."""
    household: str | None = None
    """A reference that volunteers who live together share."""
    care_experience: bool | None = None
    """Whether the volunteer was in care."""
    needs_experience: tuple[Need, ...] | None = None
    possible_visits: Rhythm | None = None
    free_times: tuple[Time, ...] | None = None
    has_dog: bool | None = None
    preferred_gender: Gender | None = None
    prefers_from_age: int | None = None
    prefers_to_age: int | None = None
    """The youngest and the oldest child whom the volunteer would like to visit, in completed years."""


@dataclass(frozen=True)
class Match:
    """A volunteer with a child: proposed or agreed, appointed now, or ended. Then the child need not be waiting."""

    child: str
    volunteer: str
    status: MatchStatus
    family: str | None = None
    """The child's family, needed where the child is no longer among the children waiting."""
    started_on: date | None = None
    ended_on: date | None = None
    ended_by: Party | None = None
    coordinator: str | None = None

    @property
    def pinned(self) -> bool:
        """Whether it is still to begin, so that the next plan keeps it."""
        return self.status in (MatchStatus.PROPOSED, MatchStatus.AGREED)


@dataclass(frozen=True)
class Declined:
    """A pair that one party said no to. It is not proposed again."""

    child: str
    volunteer: str
    by: Party | None = None
    declined_on: date | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Authority:
    """What a responsible authority may spend in a year on matches outside its county, in pence."""

    code: str
    budget_pence: int | None = None
    spent_pence: int = 0


@dataclass(frozen=True)
class RecordedException:
    """What was allowed in a single case: by whom, when and why. Without such a record the rule holds."""

    kind: ExceptionKind
    reason: str
    approved_by: str
    approved_on: date
    volunteer: str
    child: str | None = None
    value: int | None = None
    """Of a second child, how many children at most; of a shorter commitment, how many months at least."""


def by_field(record: type, records: Sequence[Any]) -> dict[str, tuple[Any, ...]]:
    """The facts of many records of one type, field by field: a table turned on its side."""
    names = [field.name for field in fields(record)]
    facts = map(attrgetter(*names), records)
    return dict(zip(names, zip(*facts, strict=True), strict=True)) if records else dict.fromkeys(names, ())

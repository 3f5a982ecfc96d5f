"""Children, volunteers and what has been between them, in the words of the policies.

Records are frozen and hold facts only. `None` means *not recorded*; an empty tuple means *recorded: none*.
The two are never confused: a rule that needs a fact which is not recorded does not pass.
Dates are calendar dates in Europe/London. Codes: councils by their ONS code (E06000061), ethnicity by the
SSDA903 code of the Department for Education (WBRI), languages by BCP 47 tag (ti), interests by the tags
of `vocabularies/interests.toml` (football).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


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
    CURRENT = "current"
    ENDED = "ended"


class Party(StrEnum):
    """Who said no, or who ended a match."""

    CHILD = "child"
    VOLUNTEER = "volunteer"
    SOCIAL_WORKER = "social worker"
    AUTHORITY = "authority"
    PLANNED = "planned"


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


@dataclass(frozen=True)
class Match:
    """An appointment of a volunteer to a child, current or ended. The child need not be waiting any more."""

    child: str
    volunteer: str
    status: MatchStatus
    family: str | None = None
    """The child's family, needed where the child is no longer among the children waiting."""
    started_on: date | None = None
    ended_on: date | None = None
    ended_by: Party | None = None


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

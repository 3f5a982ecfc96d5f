"""`kith serve --demo`: a county made up on the spot, and one account a role. On loopback, gone when it stops."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

from sqlalchemy import select

from matcher import alone
from matcher.instance import LONDON, today
from matcher.records import Party
from matcher.sample import write_sample
from matcher.shortlist import Candidate, shortlist
from service.auth import user_by_email
from service.database.tables import Match
from service.installation import add_authority, add_user, change_user, import_folder, opened, set_up
from service.permissions import Role
from service.proposals import Chosen, propose, take_step
from service.reasons import FIRST
from service.repository import Repository
from service.settings import Settings
from service.workflow import REVIEWS, State, possible

CHILDREN, VOLUNTEERS, SEED = 120, 60, 689
"""The county sample, as of today, so that no check of its volunteers has lapsed by the calendar."""

COUNTY = "county"
"""The folder of its files, beside its database and gone with it: somebody tries an import with them."""
REVIEWS_IN = (-9, 8, 23)
"""Days until the next review of the first matches of the demonstration; of the others it was held when it was due."""
ENDED = 12
"""Days since one of the others ended as planned: its letters can be read."""
PROPOSED = ((4, 3), (9, 8, 5), (20, 19, 16, 12, 6, 2))
"""Days since a pair was proposed, and since each step forward from there: one waits for the volunteer, one for the
child, and one is agreed, so that the letters of appointment can be read. A child has a day to think, a tour has not."""


def make(settings: Settings, folder: Path) -> dict[str, str]:
    """Fills an empty installation; the accounts by address with their passwords, which stand nowhere else."""
    set_up(settings)
    write_sample(folder / COUNTY, CHILDREN, VOLUNTEERS, SEED, as_of=today())
    accounts = {}
    with opened(settings) as (database, keys):
        authority = add_authority(database, keys, "Demonstration county")
        import_folder(database, keys, authority, folder / COUNTY)
        for role in Role:
            email, password = f"{role}@demo.invalid", secrets.token_urlsafe(12)
            add_user(database, keys, authority, email, f"Demo {role}", role)
            change_user(database, keys, email, password=password)
            accounts[email] = password
        with database.write(authority) as session:
            coordinator = user_by_email(session, f"{Role.COORDINATOR}@demo.invalid").id
            rows = Repository(session, keys)
            _hold_reviews(rows, coordinator)
            _propose(rows, coordinator)
    return accounts


def _hold_reviews(rows: Repository, user_id: str) -> None:
    """As in a service that holds its reviews: one is overdue, two are due soon. The sample knows of none."""
    found = rows.session.scalars(select(Match).where(Match.next_review_on.is_not(None)).order_by(Match.id))
    visits = sorted(found, key=lambda match: match.started_on or today(), reverse=True)
    for match, days in zip(visits, REVIEWS_IN, strict=False):
        match.next_review_on = today() + timedelta(days)
    *others, longest = visits[len(REVIEWS_IN) :]
    for match in others:
        assert match.next_review_on is not None
        match.next_review_on += REVIEWS[1]
    take_step(
        rows, longest.id, "end", by=Party.PLANNED, user_id=user_id, reason="planned ending", at=_days_ago(ENDED)
    )  # fmt: skip


def _propose(rows: Repository, user_id: str) -> None:
    """Pairs by those who are ready and have waited longest, each as far on its way as PROPOSED says."""
    for (proposed, *since), found in zip(PROPOSED, _first_choices(rows), strict=False):
        first, at = found[0], _days_ago(proposed)
        chosen = Chosen("fit", 1, tuple(one.volunteer for one in found))
        match = propose(rows, first.child, first.volunteer, user_id=user_id, reason=FIRST, chosen=chosen, at=at)
        for days in since:
            step = next(one for one in possible(State(match.state)) if not one.final)
            take_step(rows, match.id, step.id, by=step.by[0], user_id=user_id, at=_days_ago(days))


def _first_choices(rows: Repository) -> Iterator[Sequence[Candidate]]:
    """Shortlists of children who wait, the longest first, as long as the first volunteer is on none before."""
    instance, references = rows.instance(today()), rows.references()
    ready = alone.ready_children(instance)
    # Of the others the visits have to be paid for, and one budget may not pay for all of them.
    near = [child for child in instance.waiting if child.placement_council == child.responsible_authority]
    waiting = [child for child in near if ready[child.id]]
    taken = set()
    for child in sorted(waiting, key=lambda child: (child.waits_since or date.max, references[child.id])):
        found = shortlist(instance, child.id, rank_by="fit")
        if found and found[0].volunteer not in taken:
            taken.add(found[0].volunteer)
            yield found


def _days_ago(days: int) -> datetime:
    return datetime.combine(today() - timedelta(days), time(10, 30), LONDON)

"""`kith serve --demo`: a county made up on the spot, and one account a role. On loopback, gone when it stops."""

from __future__ import annotations

import secrets
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from matcher.instance import today
from matcher.sample import write_sample
from service.database.engine import Database
from service.database.tables import Match
from service.installation import add_authority, add_user, change_user, import_folder, opened, set_up
from service.permissions import Role
from service.settings import Settings
from service.workflow import REVIEWS

CHILDREN, VOLUNTEERS, SEED = 120, 60, 689
"""The county sample, as of today, so that no check of its volunteers has lapsed by the calendar."""


REVIEWS_IN = (-9, 8, 23)
"""Days until the next review of the first matches of the demonstration; of the others it was held when it was due."""


def _hold_reviews(database: Database, authority: str) -> None:
    """As in a service that holds its reviews: one is overdue, two are due soon. The sample knows of none."""
    with database.write(authority) as session:
        matches = session.scalars(select(Match).where(Match.next_review_on.is_not(None)).order_by(Match.id)).all()
        for number, match in enumerate(matches):
            if number < len(REVIEWS_IN):
                match.next_review_on = today() + timedelta(days=REVIEWS_IN[number])
            else:
                assert match.next_review_on is not None
                match.next_review_on += REVIEWS[1]


def make(settings: Settings, folder: Path) -> dict[str, str]:
    """Fills an empty installation; the accounts by address with their passwords, which stand nowhere else."""
    set_up(settings)
    write_sample(folder / "county", CHILDREN, VOLUNTEERS, SEED, as_of=today())
    accounts = {}
    with opened(settings) as (database, keys):
        authority = add_authority(database, keys, "Demonstration county")
        import_folder(database, keys, authority, folder / "county")
        _hold_reviews(database, authority)
        for role in Role:
            email, password = f"{role}@demo.invalid", secrets.token_urlsafe(12)
            add_user(database, keys, authority, email, f"Demo {role}", role)
            change_user(database, keys, email, password=password)
            accounts[email] = password
    return accounts

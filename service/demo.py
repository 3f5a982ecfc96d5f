"""`kith serve --demo`: a county made up on the spot, and one account a role. On loopback, gone when it stops."""

from __future__ import annotations

import secrets
from pathlib import Path

from matcher.instance import today
from matcher.sample import write_sample
from service.installation import add_authority, add_user, change_user, import_folder, opened, set_up
from service.permissions import Role
from service.settings import Settings

CHILDREN, VOLUNTEERS, SEED = 120, 60, 689
"""The county sample, as of today, so that no check of its volunteers has lapsed by the calendar."""


def make(settings: Settings, folder: Path) -> dict[str, str]:
    """Fills an empty installation; the accounts by address with their passwords, which stand nowhere else."""
    set_up(settings)
    write_sample(folder / "county", CHILDREN, VOLUNTEERS, SEED, as_of=today())
    accounts = {}
    with opened(settings) as (database, keys):
        authority = add_authority(database, keys, "Demonstration county")
        import_folder(database, keys, authority, folder / "county")
        for role in Role:
            email, password = f"{role}@demo.invalid", secrets.token_urlsafe(12)
            add_user(database, keys, authority, email, f"Demo {role}", role)
            change_user(database, keys, email, password=password)
            accounts[email] = password
    return accounts

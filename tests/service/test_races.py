"""Two at the same time: exactly one wins, on both databases. The winner is the database's, not the code's."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from service_rows import a_child, a_match, a_volunteer, an_authority
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.crypto import KeyRing
from service.database import tables
from service.database.engine import Database
from service.repository import Repository

ROUNDS, RIVALS = int(os.environ.get("KITH_RACES", "10")), 4
"""`make races` runs a thousand of each."""
Pairs = list[tuple[str, str, int]]
"""Of each rival: child, volunteer, place."""


def same_child(rows: Repository, n: int) -> Pairs:
    child = a_child(rows, f"C{n}").id
    return [(child, a_volunteer(rows, f"V{n}-{rival}").id, 0) for rival in range(RIVALS)]


def same_volunteer(rows: Repository, n: int) -> Pairs:
    volunteer = a_volunteer(rows, f"V{n}").id
    return [(a_child(rows, f"C{n}-{rival}").id, volunteer, 0) for rival in range(RIVALS)]


def last_place(rows: Repository, n: int) -> Pairs:
    """One of two places is taken; all rivals want the other."""
    volunteer = a_volunteer(rows, f"V{n}", capacity=2)
    a_match(rows.session, a_child(rows, f"D{n}"), volunteer, place=0)
    return [(a_child(rows, f"C{n}-{rival}").id, volunteer.id, 1) for rival in range(RIVALS)]


def siblings(rows: Repository, n: int) -> Pairs:
    """Enough places for all: only the rule for siblings stands between them."""
    volunteer, family = a_volunteer(rows, f"V{n}", capacity=RIVALS).id, tables.Family(known=True, references=[])
    rows.session.add(family)
    rows.session.flush()
    return [(a_child(rows, f"C{n}-{rival}", family).id, volunteer, rival) for rival in range(RIVALS)]


RACES: dict[Callable[[Repository, int], Pairs], str] = {
    same_child: "uq_matches_one_live_a_child",
    same_volunteer: "uq_matches_place",
    last_place: "uq_matches_place",
    siblings: "uq_matches_siblings_apart",
}
"""And the index that decides each."""


def wins(
    database: Database, keys: KeyRing, authority: str, race: Callable[[Repository, int], Pairs], rounds: int = ROUNDS
) -> list[int]:
    """How many rivals won each round."""
    counts = []
    with ThreadPoolExecutor(RIVALS) as pool:
        for n in range(rounds):
            with database.write(authority) as session:
                pairs = race(Repository(session, keys), n)
            ready = Barrier(RIVALS)

            def run(pair: tuple[str, str, int], ready: Barrier = ready) -> bool:
                child, volunteer, place = pair
                ready.wait()
                try:
                    with database.write(authority) as session:
                        _propose(session, child, volunteer, place)
                except IntegrityError:
                    return False
                return True

            counts.append(sum(pool.map(run, pairs)))
    return counts


def _propose(session: Session, child: str, volunteer: str, place: int) -> None:
    a_match(session, session.get_one(tables.Child, child), session.get_one(tables.Volunteer, volunteer), place=place)


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.__name__)
def test_exactly_one_wins(database: Database, keys: KeyRing, race: Callable[[Repository, int], Pairs]) -> None:
    authority = an_authority(database, keys)
    assert wins(database, keys, authority, race) == [1] * ROUNDS
    with database.read(authority) as session:
        taken = ROUNDS * (2 if race is last_place else 1)
        assert session.scalar(select(func.count()).select_from(tables.Match)) == taken


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.__name__)
def test_without_its_index_more_than_one_wins(
    database: Database, keys: KeyRing, settings: object, race: Callable[[Repository, int], Pairs]
) -> None:
    """So that the test above cannot pass for another reason."""
    authority = an_authority(database, keys)
    owner = getattr(settings, "owner_url", None)
    strong = Database(owner.get_secret_value()) if owner else database
    with strong.engine.begin() as connection:
        connection.execute(text(f"DROP INDEX {RACES[race]}"))
    strong.close()
    assert wins(database, keys, authority, race, rounds=3) == [RIVALS] * 3

"""Two at the same time: exactly one wins, on both databases. The winner is the database's, not the code's.

So of rows that nobody looked at; and so over the API, where each of several people chose from what they were shown.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from conftest import Service
from fastapi.testclient import TestClient
from service_rows import a_child, a_match, a_volunteer, an_authority
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from test_at_once import API, at_once

from matcher.instance import today
from matcher.records import ExceptionKind
from matcher.shortlist import shortlist
from service import exceptions
from service.crypto import KeyRing
from service.database import tables
from service.database.engine import Database
from service.families import link_siblings
from service.permissions import Role
from service.proposals import Chosen, failing_rules, propose
from service.repository import Repository
from service.workflow import LIVE

ROUNDS, RIVALS = int(os.environ.get("KITH_RACES", "10")), 4
"""`make races` runs a thousand of each."""
ASKED = max(2, ROUNDS // 50)
"""And of those over the API twenty."""
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


# ---- by what people use ----------------------------------------------------------------------------------------------

Asked = Sequence[tuple[str, str]]
"""Of each rival: child, volunteer."""


def for_one_child(service: Service, pairs: Asked) -> Asked:
    return of_one(pairs, 0)


def for_one_volunteer(service: Service, pairs: Asked) -> Asked:
    return of_one(pairs, 1)


def for_the_last_place(service: Service, pairs: Asked) -> Asked:
    """Of two, of which one is taken."""
    (child, volunteer), *others = of_one(pairs, 1)
    user, chosen = two_places(service, volunteer), Chosen("fit", 1, (volunteer,))
    with service.database.write(service.north) as session:
        propose(Repository(session, service.keys), child, volunteer, user_id=user, reason="other", chosen=chosen)
    return others


def for_siblings(service: Service, pairs: Asked) -> Asked:
    """With a place for each."""
    both = of_one(pairs, 1)[:2]
    user = two_places(service, both[0][1])
    with service.database.write(service.north) as session:
        link_siblings(Repository(session, service.keys), [child for child, _ in both], user_id=user)
    return both


def of_one(pairs: Asked, side: int) -> Asked:
    """The child, or the volunteer, for whom most others may be: as many as there are rivals, and one besides."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for pair in pairs:
        found[pair[side]].append(pair)
    return max(found.values(), key=len)[: RIVALS + side]


def two_places(service: Service, volunteer: str) -> str:
    user = service.users["north", Role.MANAGER]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        exceptions.approve(rows, ExceptionKind.SECOND_CHILD, volunteer, None, 2, user_id=user, reason="for a test")
    return user


def possible(service: Service) -> Asked:
    """Pairs of which each may be proposed now, of children of different families."""
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        instance = rows.instance(today())
        pinned = {match.child for match in instance.pins}
        alone = {rows.child(one.id).family_id: one.id for one in instance.waiting if one.id not in pinned}.values()
        listed = [(child, one.volunteer) for child in alone for one in shortlist(instance, child, rank_by="fit")]
        return [pair for pair in listed if not failing_rules(instance, *pair)]


def asking(browser: TestClient, child: str, volunteer: str) -> Callable[[], int]:
    """As somebody proposes who was shown a shortlist; whoever is refused is told why in a sentence."""
    shown = browser.get(f"{API}/children/{child}/shortlist", params={"top": 50, "rank_by": "fit"}).json()
    body = {"served": shown["served"], "volunteer": volunteer, "reason": "other"}

    def ask() -> int:
        answer = browser.post(f"{API}/proposals", json=body)
        assert answer.status_code == 201 or answer.json()["detail"].endswith("."), answer.text
        return answer.status_code

    return ask


def withdraw(browser: TestClient, match: str) -> None:
    path = f"{API}/matches/{match}"
    tag = {"If-Match": browser.get(path).headers["ETag"]}
    body = {"step": "withdraw", "by": "authority", "reason": "entered by mistake"}
    assert browser.post(f"{path}/steps", json=body, headers=tag).status_code == 200


@pytest.mark.parametrize(
    "race", [for_one_child, for_one_volunteer, for_the_last_place, for_siblings], ids=lambda race: race.__name__
)
def test_of_several_who_propose_at_once_exactly_one_does(
    service: Service, race: Callable[[Service, Asked], Asked]
) -> None:
    rivals = race(service, possible(service))[:RIVALS]
    assert len(rivals) > 1
    browsers = [service.as_(role) for _, role in zip(rivals, [Role.COORDINATOR, Role.MANAGER] * RIVALS, strict=False)]

    def live() -> set[str]:
        with service.database.read(service.north) as session:
            return {*session.scalars(select(tables.Match.id).where(tables.Match.state.in_(LIVE)))}

    before = live()
    for _ in range(ASKED):
        asked = [asking(browser, *pair) for browser, pair in zip(browsers, rivals, strict=True)]
        assert at_once(asked) == [201, *[409] * (len(rivals) - 1)]
        (made,) = live() - before
        withdraw(browsers[0], made)

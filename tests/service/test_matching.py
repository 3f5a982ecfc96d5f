"""What the matcher makes of the rows between requests: once, of the newest data, and honestly where it is not done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import pytest
from conftest import Service
from fastapi.testclient import TestClient
from sqlalchemy import select

from matcher.instance import today
from matcher.parallel import give_way
from matcher.planning.effects import Effects
from matcher.records import Status
from service import matching, turns
from service.crypto import KeyRing
from service.database import tables
from service.matching import Held, Matching
from service.permissions import Role
from service.repository import Repository
from service.turns import Turns

API = "/api/v1"
HTML = {"Accept": "text/html"}


@pytest.fixture
def desk(service: Service) -> TestClient:
    return service.as_(Role.COORDINATOR)


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for each plan that was searched for."""
    found: list[int] = []
    real = Effects.of
    monkeypatch.setattr(Effects, "of", lambda *given: found.append(1) or real(*given))
    return found


@pytest.fixture
def slowly(monkeypatch: pytest.MonkeyPatch, solved: list[int]) -> Event:
    """Plans are searched for only once this is set, and no request waits for it."""
    go, real = Event(), Effects.of
    monkeypatch.setattr(Effects, "of", lambda *given: go.wait(60) and real(*given))
    monkeypatch.setattr(matching, "PATIENCE", 0.0)
    return go


def lapses(desk: TestClient, volunteer: str) -> None:
    """The volunteer's check is out of date from now on."""
    tag = desk.get(f"{API}/volunteers/{volunteer}").headers["ETag"]
    facts = {"facts": {"dbs_checked_on": "01/01/2015"}}
    assert desk.patch(f"{API}/volunteers/{volunteer}", json=facts, headers={"If-Match": tag}).status_code == 200


def test_a_shortlist_is_not_solved_anew_until_something_changes(
    service: Service, desk: TestClient, solved: list[int]
) -> None:
    child, volunteer = service.eligible_pair()
    url = f"{API}/children/{child}/shortlist"
    before = [desk.get(url).json()["data_hash"] for _ in range(2)]
    assert desk.get(f"{API}/volunteers/{volunteer}/shortlist").status_code == 200
    for path in (f"{API}/children/{child}", f"{API}/volunteers/{volunteer}"):
        headers = {"If-Match": desk.get(path).headers["ETag"]}
        assert desk.put(f"{path}/person", json={"name": "A. Example"}, headers=headers).status_code == 200
    assert desk.get(url).json()["data_hash"] == before[0]
    assert len(solved) == 1  # nothing that is found goes by who somebody is
    lapses(desk, volunteer)
    after = desk.get(url).json()
    assert after["data_hash"] not in before
    assert volunteer not in {one["volunteer"] for one in after["shortlist"]}
    assert len(solved) == 2


def test_what_is_being_worked_out_is_told_as_that_and_is_there_at_the_next_look(
    service: Service, desk: TestClient, slowly: Event
) -> None:
    child, volunteer = service.eligible_pair()
    url = f"{API}/children/{child}/shortlist"
    by_fit = desk.get(url, params={"rank_by": "fit"}).json()
    assert by_fit["effects"] == "not asked for"
    told = desk.get(url).json()
    assert (told["rank_by"], told["effects"]) == ("fit", "being worked out")
    assert told["shortlist"] == by_fit["shortlist"]
    assert {one["effect"] for one in told["shortlist"]} == {None}
    turned = desk.get(f"{API}/volunteers/{volunteer}/shortlist").json()
    assert (turned["rank_by"], turned["effects"]) == ("fit", "being worked out")
    slowly.set()
    matching.PATIENCE = 60.0
    told = desk.get(url).json()
    assert (told["rank_by"], told["effects"]) == ("plan", "exact")
    assert all(one["effect"]["exact"] for one in told["shortlist"])


def test_where_thousands_wait_a_shortlist_is_made_before_its_effects_are_begun(
    service: Service, desk: TestClient, slowly: Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    child, _ = service.eligible_pair()
    url = f"{API}/children/{child}/shortlist"
    by_fit = desk.get(url, params={"rank_by": "fit"}).json()["shortlist"]
    done: list[str] = []
    made, begun = matching.shortlist, Held.worked_out
    monkeypatch.setattr(matching, "shortlist", lambda *of, **how: done.append("made") or made(*of, **how))
    monkeypatch.setattr(Held, "worked_out", lambda *of: done.append("begun") or begun(*of))
    monkeypatch.setattr(matching, "PATIENCE", 60.0)
    monkeypatch.setattr(matching, "MANY", 1)
    told = desk.get(url).json()  # at once, although a request would wait a minute for what is under way
    assert (told["effects"], told["shortlist"]) == ("being worked out", by_fit)
    assert done == ["made", "begun"]
    slowly.set()
    assert desk.get(url).json()["effects"] == "exact"


def test_who_reads_afresh_opens_what_changed_alone(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    _, volunteer = service.eligible_pair()
    kept = Matching()
    try:
        with service.database.read(service.north) as session:
            kept.of(Repository(session, service.keys))
        with service.database.write(service.north) as session:
            rows = Repository(session, service.keys)
            row = rows.volunteer(volunteer)
            rows.write_volunteer(row, replace(rows.volunteer_record(row), status=Status.SUSPENDED))
        opened: list[str] = []
        real = KeyRing.open
        monkeypatch.setattr(KeyRing, "open", lambda keys, *of: opened.append(of[1].row) or real(keys, *of))
        with service.database.read(service.north) as session:
            afresh = Repository(session, service.keys, kept.opened(service.north)).instance(today())
        assert afresh.volunteer(volunteer).status is Status.SUSPENDED
        assert {one for one in opened if one[0] in "CV"} == {volunteer}
    finally:
        kept.close()


@pytest.fixture
def held(service: Service) -> Iterator[tuple[Matching, Held]]:
    kept = Matching()
    with service.database.read(service.north) as session:
        yield kept, kept.of(Repository(session, service.keys))
    kept.close()


def test_requests_go_before_what_is_worked_out_besides(
    held: tuple[Matching, Held], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LONGEST", 60)
    kept, one = held
    done = Event()

    def work() -> str:
        give_way()
        done.set()
        return "worked out"

    with kept.turns.answering():
        assert one.worked_out(("it", 1), work, 0.0) is None
        assert not done.wait(0.3)
    assert done.wait(60)
    with kept.turns.answering(), kept.turns.answering():
        done.clear()
        assert one.worked_out(("it", 2), work, 0.3) is None  # somebody else is being answered
    with kept.turns.answering():
        assert one.worked_out(("it", 3), work, 60.0) == "worked out"  # who waits for it is in nobody's way


def test_where_requests_never_cease_what_is_worked_out_goes_on(
    held: tuple[Matching, Held], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LONGEST", 0.01)
    kept, one = held
    with kept.turns.answering(), kept.turns.answering():
        assert one.worked_out(("it", 1), lambda: give_way() or "worked out", 60.0) == "worked out"


@pytest.mark.parametrize("over", ["the data are others", "the service stops"])
def test_what_nobody_needs_any_more_ends(
    service: Service, desk: TestClient, held: tuple[Matching, Held], over: str
) -> None:
    kept, one = held
    begun, ended = Event(), Event()

    def endless() -> None:
        begun.set()
        try:
            while True:
                give_way()
        finally:
            ended.set()

    assert one.worked_out(("it", 1), endless, 0.0) is None
    assert begun.wait(60)
    if over == "the service stops":
        kept.close()
    else:
        lapses(desk, service.eligible_pair()[1])
        with service.database.read(service.north) as session:
            newer = kept.of(Repository(session, service.keys))
        assert newer.worked_out(("it", 1), lambda: "of the new ones", 60.0) == "of the new ones"
    assert ended.wait(60)
    assert one.worked_out(("it", 1), endless, 60.0) is None


def test_each_request_has_its_turn(service: Service, desk: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """From before its route is asked until its answer is made, whatever it answers."""
    counted: list[int] = []
    real = Turns._count
    monkeypatch.setattr(Turns, "_count", lambda self, more: counted.append(more) or real(self, more))
    for path, expected in (("/children", 200), (f"{API}/children", 200), ("/children/C23456789BCD", 404)):
        counted.clear()
        assert desk.get(path, headers=HTML).status_code == expected
        assert counted == [1, -1]


def test_a_proposal_from_a_list_without_effects_is_kept_as_one_by_fit(
    service: Service, desk: TestClient, slowly: Event
) -> None:
    child, volunteer = service.eligible_pair()
    served = desk.get(f"{API}/children/{child}/shortlist").json()["served"]
    body = {"served": served, "volunteer": volunteer, "reason": "first on the shortlist"}
    assert desk.post(f"{API}/proposals", json=body).json()["rank_by"] == "fit"
    slowly.set()


def test_what_somebody_chose_from_is_what_stood_on_the_page(service: Service, desk: TestClient, slowly: Event) -> None:
    """Whatever is worked out between the look at a list and the proposal from it."""
    child, _ = service.eligible_pair()
    page = desk.get(f"/children/{child}/shortlist", headers=HTML).text
    assert "is being worked out" in page
    stood = re.findall(rf"/children/{child}/propose/(\w+)\?rank=fit", page)
    slowly.set()
    matching.PATIENCE = 60.0
    compared = desk.get(f"/children/{child}/compare?rank=fit&with={stood[0]}&with={stood[1]}", headers=HTML).text
    assert f"/propose/{stood[0]}?rank=fit" in compared
    asked = desk.get(f"/children/{child}/propose/{stood[1]}?rank=fit", headers=HTML).text
    assert "<strong>number 2</strong> by fit" in asked
    assert '<input type="hidden" name="rank" value="fit">' in asked
    form = {"rank": "fit", "reason": "other"}
    made = desk.post(f"/children/{child}/propose/{stood[1]}", data=form, headers=HTML)
    with service.database.read(service.north) as session:
        kept = session.get_one(tables.Proposal, made.url.path.rpartition("/")[2])
    assert (kept.rank_by, kept.rank, kept.alternatives) == ("fit", 2, stood)


def test_a_form_opened_by_plan_goes_on_by_fit_while_effects_are_worked_out(
    service: Service, desk: TestClient, slowly: Event
) -> None:
    child, volunteer = service.eligible_pair()
    asked = desk.get(f"/children/{child}/propose/{volunteer}?rank=plan", headers=HTML).text
    assert '<input type="hidden" name="rank" value="fit">' in asked
    slowly.set()


def test_no_list_shows_whom_a_rule_forbids_by_now_worked_out_or_not(
    service: Service, desk: TestClient, slowly: Event
) -> None:
    child, volunteer = service.eligible_pair()
    url = f"{API}/children/{child}/shortlist"
    assert volunteer in {one["volunteer"] for one in desk.get(url).json()["shortlist"]}
    lapses(desk, volunteer)
    told = desk.get(url).json()
    assert told["effects"] == "being worked out"
    assert volunteer not in {one["volunteer"] for one in told["shortlist"]}
    slowly.set()
    matching.PATIENCE = 60.0
    told = desk.get(url).json()
    assert told["effects"] == "exact"
    assert volunteer not in {one["volunteer"] for one in told["shortlist"]}


def test_many_who_ask_at_once_wait_for_one_search(service: Service, solved: list[int]) -> None:
    child = service.eligible_pair()[0]
    kept = Matching()

    def ask(_: int) -> str:
        with service.database.read(service.north) as session:
            return kept.of(Repository(session, service.keys)).shortlist(child, top=3, rank_by="plan").effects

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(16))) == {"exact"}
    assert len(solved) == 1
    kept.close()


def test_what_nobody_needs_any_more_is_not_worked_out(service: Service, slowly: Event, solved: list[int]) -> None:
    children = service.children()
    kept = Matching()

    def ask() -> matching.Held:
        with service.database.read(service.north) as session:
            held = kept.of(Repository(session, service.keys))
        for child in [child for child in children if child not in held.instance.visited][:3]:
            held.shortlist(child, top=3, rank_by="plan")
        return held

    before = ask()
    with service.database.write(service.north) as session:
        session.get_one(tables.Authority, service.north).data_version += 1
    after = ask()
    slowly.set()
    kept._thread.shutdown(wait=True)
    assert (len(before._asked), len(after._asked)) == (3, 3)
    assert [one.cancelled() for one in before._asked.values()] == [False, True, True]  # the first had begun
    assert not any(one.cancelled() for one in after._asked.values())
    assert len(solved) == 2


def test_who_began_to_read_before_a_change_does_not_bring_the_old_data_back(service: Service) -> None:
    kept = Matching()
    with service.database.read(service.north) as early:
        rows = Repository(early, service.keys)
        before = kept.of(rows)
        with service.database.write(service.north) as session:
            session.get_one(tables.Authority, service.north).data_version += 1
        with service.database.read(service.north) as session:
            after = kept.of(Repository(session, service.keys))
            assert kept.of(rows).stamp == before.stamp
            assert kept.of(Repository(session, service.keys)) is after


def test_authorities_share_nothing_and_little_is_kept(service: Service) -> None:
    kept = Matching(most=1)
    for _ in range(3):
        for authority in (service.north, service.south):
            with service.database.read(authority) as session:
                held = kept.of(Repository(session, service.keys))
                assert len(held.instance.children) == (30 if authority == service.north else 0)
        with service.database.write(service.north) as session:
            session.scalars(select(tables.Child)).first().coordinator_hash = "another's"  # type: ignore[union-attr]
        assert len(kept) == 1

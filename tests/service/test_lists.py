"""Every list of the API, as its document has them: each order, each filter, and one page after the other.

What the document tells and these tables do not have fails, and so does what only they have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from conftest import Service
from fastapi.testclient import TestClient
from service_rows import a_match, families_seen
from sqlalchemy import select

from matcher.instance import today
from service.database import tables
from service.permissions import Role
from service.repository import Repository
from service.workflow import LIVE, State

API = "/api/v1"
Line = dict[str, Any]


class Order(NamedTuple):
    """What a list stands in the order of, as its lines tell it; what is not told comes last."""

    of: Callable[[Line], Any]
    last_first: bool = False


ORDERS = {
    ("/children", "referred_on"): Order(lambda one: one["referred_on"]),
    ("/children", "reference"): Order(lambda one: one["reference"]),
    ("/volunteers", "reference"): Order(lambda one: one["reference"]),
    ("/volunteers", "status"): Order(lambda one: one["status"]),
    ("/families", "id"): Order(lambda one: one["id"]),
    ("/families", "children"): Order(lambda one: len(one["children"]), last_first=True),
    ("/budgets", "code"): Order(lambda one: one["code"]),
    ("/budgets", "budget"): Order(lambda one: one["budget_pence"], last_first=True),
    ("/budgets", "spent"): Order(lambda one: one["spent_pence"], last_first=True),
    ("/organisations", "name"): Order(lambda one: one["name"]),
    ("/organisations", "id"): Order(lambda one: one["id"]),
    ("/exceptions", "approved_on"): Order(lambda one: one["approved_on"], last_first=True),
    ("/exceptions", "withdrawn_on"): Order(lambda one: one["withdrawn_on"], last_first=True),
    ("/matches", "since"): Order(lambda one: one["since"], last_first=True),
    ("/matches", "next_review_on"): Order(lambda one: one["next_review_on"]),
    ("/policies", "newest"): Order(lambda one: one["number"], last_first=True),
    ("/policies", "oldest"): Order(lambda one: one["number"]),
}
IN_ONE_ORDER = {"/tokens", "/imports", "/runs"}
"""The newest first: whoever lists them has nothing to choose."""

OURS = "A. Coordinator"
FILTERS: dict[tuple[str, str], Callable[[Line, Any, dict[str, Any]], bool]] = {
    ("/children", "coordinator"): lambda one, name, _: one["coordinator"] == name,
    ("/children", "waiting"): lambda one, waits, _: (one["state"] == "waiting") is waits,
    ("/volunteers", "status"): lambda one, status, _: one["status"] == status,
    ("/volunteers", "free"): lambda one, free, _: (one["live"] < one["capacity"]) is free,
    ("/families", "child"): lambda one, child, _: child in one["children"],
    ("/budgets", "recorded"): lambda one, recorded, _: (one["budget_pence"] is not None) is recorded,
    ("/organisations", "name"): lambda one, begins, _: one["name"].lower().startswith(begins.lower()),
    ("/exceptions", "kind"): lambda one, kind, _: one["kind"] == kind,
    ("/exceptions", "volunteer"): lambda one, id, _: one["volunteer"] == id,
    ("/exceptions", "child"): lambda one, id, _: one["child"] == id,
    ("/exceptions", "withdrawn"): lambda one, withdrawn, _: (not one["holds"]) is withdrawn,
    ("/matches", "state"): lambda one, state, _: one["state"] == state,
    ("/matches", "live"): lambda one, live, _: (one["state"] in LIVE) is live,
    ("/matches", "child"): lambda one, id, _: one["child"] == id,
    ("/matches", "volunteer"): lambda one, id, _: one["volunteer"] == id,
    ("/matches", "coordinator"): lambda one, _, made: one["id"] == made["ours"],
    ("/matches", "irregular"): lambda one, irregular, _: one["irregular"] is irregular,
    ("/matches", "to_ask"): lambda one, _, made: one["id"] == made["past"],
    ("/matches", "review_by"): lambda one, day, _: one["next_review_on"] is not None and one["next_review_on"] <= day,
    ("/policies", "hash"): lambda one, hash, _: one["hash"] == hash,
    ("/policies", "user"): lambda one, user, _: one["user"] == user,
}
"""Whether a line is one that was asked for, by what was asked and by what was made up for it."""


@pytest.fixture
def manager(service: Service) -> TestClient:
    return service.as_(Role.MANAGER)


@pytest.fixture
def made(service: Service, manager: TestClient) -> dict[str, Any]:
    """Several of everything, no two alike; and what each filter is asked for."""
    child, volunteer = service.eligible_pair()

    def send(method: str, path: str, json: dict[str, Any], **headers: str) -> Any:
        answer = manager.request(method, f"{API}{path}", json=json, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    for name in ("Bluebell Homes", "Sunrise", "Able Care"):
        send("POST", "/organisations", {"name": name})
    for code, budget, spent in (("E06000062", 500, 3), ("E06000061", None, 7), ("E06000018", 900, 5)):
        tag = manager.get(f"{API}/budgets/{code}").headers["ETag"]
        send("PUT", f"/budgets/{code}", {"budget_pence": budget, "spent_pence": spent}, **{"If-Match": tag})
    second = {"kind": "second child", "volunteer": volunteer, "value": 2, "reason": "for a while"}
    for value in (3, 4):
        over = send("POST", "/exceptions", {**second, "value": value})
        tag = f'"{over["version"]}"'
        send("POST", f"/exceptions/{over['id']}/withdraw", {"reason": "less time"}, **{"If-Match": tag})
    send("POST", "/exceptions", second)
    others = manager.get(f"{API}/volunteers").json()["volunteers"]
    other = next(one["id"] for one in others if one["id"] != volunteer)
    send("POST", "/exceptions", {**second, "kind": "relative as visitor", "volunteer": other, "value": None,
                                 "child": child})  # fmt: skip
    toml = 'name = "ours"\ntitle = "Our policy"\nversion = "1"\ninherits = "national"\n[rules.age_gap]\nyears = 9\n'
    tag = manager.get(f"{API}/policies/current").headers["ETag"]
    policy = send("POST", "/policies", {"toml": toml, "reason": "for a test"}, **{"If-Match": tag})
    for name in ("one", "two", "three"):
        send("POST", "/tokens", {"name": name, "scopes": ["read"]})
    for _ in range(3):
        run = send("POST", "/runs", {"reason": "manual"})
        send("POST", f"/runs/{run['id']}/cancel", {})
    three = service.children()[:3]
    send("POST", "/families", {"children": three}, **families_seen(manager, *three))
    rows = _in_rows(service, child)
    path = f"/volunteers/{rows['match']['volunteer']}"
    tag = manager.get(f"{API}{path}").headers["ETag"]
    send("POST", f"{path}/status", {"status": "suspended", "reason": "concern raised"}, **{"If-Match": tag})
    return {**rows, "child": child, "volunteer": volunteer, "hash": policy["hash"],
            "user": service.users["north", Role.MANAGER]}  # fmt: skip


def _in_rows(service: Service, child: str) -> dict[str, Any]:
    """What takes months to come about: reviews that fall due, an exception of last year, a match that is irregular."""
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        record = rows.child_record(rows.child(child), family_known=True)
        rows.write_child(rows.child(child), replace(record, coordinator=OURS))
        session.add_all(tables.ImportBatch(rows={"children": n}, given={"children": n}) for n in (1, 2))
        row = session.get_one(tables.Match, service.a_match())
        rows.name_coordinator(row, OURS)
        row.irregular = True
        session.get_one(tables.Child, row.child_id).referral = True  # who has a visitor, and a referral still
        with_whom = session.get_one(tables.Child, child), session.get_one(tables.Volunteer, row.volunteer_id)
        past, _ = (a_match(session, *with_whom, state, place=None) for state in (State.ENDED, State.DECLINED))
        session.flush()
        every = session.scalars(select(tables.Match).order_by(tables.Match.id)).all()
        for days, match in enumerate(every):
            match.since -= timedelta(days=days)
            match.next_review_on = today() + timedelta(days=days) if days < 3 else None
        exceptions = session.scalars(select(tables.RecordedException).order_by(tables.RecordedException.id)).all()
        for days, exception in enumerate(exceptions):
            exception.approved_on = today() - timedelta(days=days)
            if exception.withdrawn_on is not None:
                exception.withdrawn_on = today() + timedelta(days=days)
        return {"ours": row.id, "past": past.id, "match": {"child": row.child_id, "volunteer": row.volunteer_id}}


def asked(made: dict[str, Any]) -> dict[tuple[str, str], list[Any]]:
    """What each filter is asked for: of what is yes or no, both."""
    special: dict[tuple[str, str], list[Any]] = {
        ("/children", "coordinator"): [OURS], ("/matches", "coordinator"): [OURS],
        ("/volunteers", "status"): ["approved"],
        ("/families", "child"): [made["child"]], ("/organisations", "name"): ["BLUE"],
        ("/exceptions", "kind"): ["second child", "relative as visitor"],
        ("/exceptions", "volunteer"): [made["volunteer"]], ("/exceptions", "child"): [made["child"]],
        ("/matches", "state"): [State.ACTIVE], ("/matches", "child"): [made["match"]["child"]],
        ("/matches", "volunteer"): [made["match"]["volunteer"]],
        ("/matches", "review_by"): [(today() + timedelta(days=1)).isoformat()],
        ("/matches", "to_ask"): [True], ("/policies", "hash"): [made["hash"]], ("/policies", "user"): [made["user"]],
    }  # fmt: skip
    return {filter: special.get(filter, [True, False]) for filter in FILTERS}


def lists(manager: TestClient) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """The path and the parameters of every list in the document."""
    paths = manager.get(f"{API}/openapi.json").json()["paths"]
    for path, methods in paths.items():
        parameters = {one["name"]: one for one in methods.get("get", {}).get("parameters", ())}
        if "page" in parameters:
            yield path.removeprefix(API), parameters


def lines(manager: TestClient, path: str, **query: Any) -> list[Line]:
    answer = manager.get(f"{API}{path}", params={"size": 200, **query})
    assert answer.status_code == 200, (path, query)
    told: list[Line] = answer.json()[path.strip("/")]
    assert answer.json()["total"] >= len(told)
    return told


def test_the_tables_here_are_what_the_document_tells(manager: TestClient) -> None:
    orders, filters, all_paths = set(), set(), set()
    for path, parameters in lists(manager):
        all_paths.add(path)
        orders |= {(path, one) for one in parameters.get("sort", {"schema": {"enum": []}})["schema"]["enum"]}
        filters |= {(path, name) for name in parameters if name not in ("page", "size", "sort")}
    assert orders == set(ORDERS)
    assert filters == set(FILTERS)
    assert all_paths == {path for path, _ in ORDERS} | IN_ONE_ORDER


def test_every_list_stands_in_each_of_its_orders(manager: TestClient, made: dict[str, Any]) -> None:
    for (path, sort), order in ORDERS.items():
        values = [order.of(one) for one in lines(manager, path, sort=sort)]
        known = [value for value in values if value is not None]
        assert len(set(known)) > 1, f"{path} has nothing to sort by {sort}"
        assert values == sorted(known, reverse=order.last_first) + [None] * (len(values) - len(known)), (path, sort)
    for path, parameters in lists(manager):
        if "sort" in parameters:
            first = parameters["sort"]["schema"]["default"]
            assert lines(manager, path) == lines(manager, path, sort=first), path


def test_every_filter_finds_what_is_so_and_nothing_else(manager: TestClient, made: dict[str, Any]) -> None:
    for (path, name), values in asked(made).items():
        every = lines(manager, path)
        for value in values:
            expected = [one for one in every if FILTERS[path, name](one, value, made)]
            assert 0 < len(expected) < len(every), f"{path} has nothing to tell apart by {name}={value}"
            assert lines(manager, path, **{name: value}) == expected, (path, name, value)


def test_every_list_comes_a_page_at_a_time(manager: TestClient, made: dict[str, Any]) -> None:
    for path, _ in lists(manager):
        every = lines(manager, path)
        assert len(every) > 1, path
        found, page = [], 1
        while some := lines(manager, path, page=page, size=2):
            assert len(some) == min(2, len(every) - len(found)), path
            found += some
            page += 1
        assert found == every, path

"""Exceptions, budgets and policies over the API: a manager's word, and in force from the next request."""

from __future__ import annotations

from typing import Any

import pytest
from api_desk import API, CANARY
from api_desk import desk as desk
from api_desk import manager as manager
from conftest import Service
from fastapi.testclient import TestClient
from sqlalchemy import select

from service.database import tables
from service.permissions import Role


def test_an_exception_is_a_managers_and_gives_the_place_at_once(
    service: Service, desk: TestClient, manager: TestClient
) -> None:
    volunteer = service.eligible_pair()[1]
    body = {"kind": "second child", "volunteer": volunteer, "value": 3, "reason": CANARY}
    assert desk.post(f"{API}/exceptions", json=body).status_code == 403
    made = manager.post(f"{API}/exceptions", json=body).json()
    assert (made["approved_by"], made["reason"]) == ("manager of north", CANARY)
    assert desk.get(f"{API}/volunteers/{volunteer}").json()["capacity"] == 3
    lines = service.as_(Role.ANALYST).get(f"{API}/exceptions").json()["exceptions"]
    assert {(line["reason"], line["approved_by"]) for line in lines} == {(None, None)}


def test_a_budget_is_a_managers(desk: TestClient, manager: TestClient) -> None:
    url, body = f"{API}/budgets/E06000062", {"budget_pence": 600000, "spent_pence": 1}
    tag = desk.get(url).headers["ETag"]
    assert desk.put(url, json=body, headers={"If-Match": tag}).status_code == 403
    assert manager.put(url, json=body, headers={"If-Match": tag}).json() == {**body, "code": "E06000062"}
    assert manager.put(url, json=body, headers={"If-Match": tag}).status_code == 412


def test_budgets_come_in_pages_sorted_and_filtered(desk: TestClient, service: Service) -> None:
    with service.database.write(service.north) as session:
        for row in session.scalars(select(tables.Budget)):
            session.delete(row)
        given = (("E06000001", 300, 7), ("E06000002", None, 9), ("E06000003", 500, 0))
        session.add_all(tables.Budget(code=code, budget_pence=may, spent_pence=has) for code, may, has in given)

    def codes(**asked: Any) -> list[str]:
        page = desk.get(f"{API}/budgets", params=asked).json()
        return [f"of {page['total']}", *(one["code"][-1] for one in page["budgets"])]

    assert codes() == ["of 3", "1", "2", "3"]
    assert codes(sort="budget") == ["of 3", "3", "1", "2"]  # what is not recorded is no sum, and comes last
    assert codes(sort="spent", size=2) == ["of 3", "2", "1"]
    assert codes(recorded=False) == ["of 1", "2"]
    assert codes(page=2, size=2) == ["of 3", "3"]


OURS = 'name = "ours"\ntitle = "Ours"\nversion = "2"\ninherits = "national"\n'


def test_a_draft_is_told_by_its_line_and_what_it_would_change(desk: TestClient) -> None:
    bad = desk.post(f"{API}/policies/check", json={"toml": OURS + '[rules.travel]\nmiles = "far"\n'}).json()
    assert (bad["usable"], [one["line"] for one in bad["problems"]]) == (False, [6])
    good = desk.post(f"{API}/policies/check", json={"toml": OURS + "[rules.age_gap]\nyears = 9\n"}).json()
    assert good["usable"]
    assert len(good["differences"]) == 1


@pytest.mark.parametrize("inherits", ["/etc/passwd", "../kith.toml", "keys.json"])
def test_a_policy_inherits_from_no_file(manager: TestClient, inherits: str) -> None:
    toml = OURS.replace("national", inherits)
    answer = manager.post(f"{API}/policies", json={"toml": toml, "reason": "x"}, headers={"If-Match": '"1"'})
    assert answer.status_code == 422
    assert "inherits from one of" in answer.text


def test_a_policy_is_in_force_from_the_next_request(service: Service, desk: TestClient, manager: TestClient) -> None:
    child, _ = service.eligible_pair()
    url = f"{API}/children/{child}/shortlist"
    assert desk.get(url).json()["policy"].startswith("national")
    body = {"toml": OURS, "reason": "agreed at the panel"}
    assert manager.post(f"{API}/policies", json=body, headers={"If-Match": '"7"'}).status_code == 412
    assert manager.post(f"{API}/policies", json=body, headers={"If-Match": '"1"'}).json()["number"] == 2
    assert desk.get(url).json()["policy"].startswith("ours 2")
    told = desk.get(f"{API}/policies").json()
    assert (told["total"], [one["in_force"] for one in told["policies"]]) == (2, [True, False])
    last = desk.get(f"{API}/policies", params={"sort": "oldest", "page": 2, "size": 1}).json()["policies"]
    assert [(one["number"], one["in_force"]) for one in last] == [(2, True)]
    now = told["policies"][0]["hash"]  # ours says nothing of its own, so that the first has the same content
    assert desk.get(f"{API}/policies", params={"hash": now}).json()["total"] == 2
    assert desk.get(f"{API}/policies", params={"hash": "0" * 12}).json()["total"] == 0
    who = told["policies"][0]["user"]  # the first was put in force by no account
    assert [one["number"] for one in desk.get(f"{API}/policies", params={"user": who}).json()["policies"]] == [2]
    assert desk.get(f"{API}/policies/1").json()["policy"] == "national"

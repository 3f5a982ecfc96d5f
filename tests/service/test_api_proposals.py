"""Proposals and their steps over the API: whoever chooses was shown whom they chose."""

from __future__ import annotations

from typing import Any

import pytest
from api_desk import API, CANARY, changed
from api_desk import desk as desk
from api_desk import manager as manager
from conftest import Service
from fastapi.testclient import TestClient

from service.permissions import Role


def proposal(served: dict[str, Any], place: int = 0, **also: Any) -> dict[str, Any]:
    chosen = served["shortlist"][place]["volunteer"]
    return {"served": served["served"], "volunteer": chosen, "reason": "shared interests", **also}


def test_what_was_seen_is_known_from_what_was_shown(service: Service, desk: TestClient) -> None:
    child, _ = service.eligible_pair()
    served = desk.get(f"{API}/children/{child}/shortlist", params={"top": 3, "rank_by": "fit"}).json()
    made = desk.post(f"{API}/proposals", json=proposal(served, 1, note=CANARY)).json()
    assert made["alternatives"] == [one["volunteer"] for one in served["shortlist"]]
    assert (made["rank"], made["rank_by"], made["child"]) == (2, "fit", child)
    first = made["timeline"][0]
    assert (first["user"], first["reason"], first["departs"], first["note"]) == (
        service.users["north", Role.COORDINATOR], "shared interests", True, CANARY
    )  # fmt: skip
    assert "ask_volunteer" in {one["step"] for one in made["possible"]}
    assert service.as_(Role.ANALYST).get(f"{API}/matches/{made['id']}").status_code == 403


def test_nobody_chooses_from_what_they_were_not_shown(service: Service, desk: TestClient, manager: TestClient) -> None:
    child, _ = service.eligible_pair()
    url = f"{API}/children/{child}/shortlist"
    served = desk.get(url, params={"top": 1, "rank_by": "fit"}).json()
    longer = desk.get(url, params={"top": 3, "rank_by": "fit"}).json()
    below = {**proposal(longer, 2), "served": served["served"]}
    assert desk.post(f"{API}/proposals", json=below).status_code == 409
    assert manager.post(f"{API}/proposals", json=proposal(served)).status_code == 404  # another person's list
    invented = {**proposal(served), "alternatives": []}
    assert desk.post(f"{API}/proposals", json=invented).status_code == 422


def test_a_no_feeds_the_very_next_shortlist(service: Service, desk: TestClient) -> None:
    child, _ = service.eligible_pair()
    url = f"{API}/children/{child}/shortlist"
    served = desk.get(url, params={"top": 3}).json()
    made = desk.post(f"{API}/proposals", json=proposal(served)).json()
    no = {"step": "child_declines", "by": "child", "reason": "does not want this visitor"}
    assert changed(desk, f"/matches/{made['id']}/steps", {**no, "by": "volunteer"}, "POST").status_code == 409
    assert changed(desk, f"/matches/{made['id']}/steps", {**no, "reason": "because"}, "POST").status_code == 409
    assert changed(desk, f"/matches/{made['id']}/steps", no, "POST").json()["state"] == "declined"
    left = desk.get(url, params={"top": 50}).json()["shortlist"]
    assert made["volunteer"] not in {one["volunteer"] for one in left}
    assert desk.post(f"{API}/proposals", json=proposal(served)).status_code == 409  # the old list gives no way round


def test_a_step_is_refused_in_the_rules_own_words(service: Service, desk: TestClient) -> None:
    child, volunteer = service.eligible_pair()
    served = desk.get(f"{API}/children/{child}/shortlist", params={"rank_by": "fit"}).json()
    made = desk.post(f"{API}/proposals", json=proposal(served)).json()
    assert made["volunteer"] == volunteer
    assert changed(desk, f"/volunteers/{volunteer}", {"facts": {"dbs_checked_on": "01/01/2015"}}).status_code == 200
    refused = changed(desk, f"/matches/{made['id']}/steps", {"step": "ask_volunteer", "by": "authority"}, "POST")
    assert refused.status_code == 409
    assert "DBS" in refused.json()["detail"]


@pytest.mark.parametrize("at", ["2200-01-01T00:00:00Z", "2001-01-01T00:00:00Z"])
def test_a_step_is_taken_neither_before_the_last_nor_in_the_future(service: Service, desk: TestClient, at: str) -> None:
    served = desk.get(f"{API}/children/{service.eligible_pair()[0]}/shortlist", params={"rank_by": "fit"}).json()
    made = desk.post(f"{API}/proposals", json=proposal(served)).json()
    body = {"step": "ask_volunteer", "by": "authority", "at": at}
    assert changed(desk, f"/matches/{made['id']}/steps", body, "POST").status_code == 409

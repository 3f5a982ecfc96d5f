"""A family has a version: nobody links others to one that is not as they saw it."""

from __future__ import annotations

import pytest
from conftest import Service
from fastapi.testclient import TestClient
from service_rows import families_seen

from service.permissions import Role

API = "/api/v1"


@pytest.fixture
def desk(service: Service) -> TestClient:
    return service.as_(Role.COORDINATOR)


def added(desk: TestClient, *references: str) -> list[str]:
    return [
        desk.post(f"{API}/children", json={"reference": one, "siblings": []}).json()["id"] for one in references
    ]  # fmt: skip


def link(desk: TestClient, children: list[str], **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return desk.post(f"{API}/families", json={"children": children}, headers=named).status_code


def test_a_family_is_told_with_the_version_that_a_link_needs(desk: TestClient) -> None:
    one, other, third, fourth = added(desk, "N1", "N2", "N3", "N4")
    linked = desk.post(f"{API}/families", json={"children": [one, other]})  # neither has siblings yet
    path = f"{API}/families/{linked.json()['id']}"
    told = desk.get(path)
    assert linked.headers["ETag"] == told.headers["ETag"] == f'"{told.json()["version"]}"'
    listed = desk.get(f"{API}/families", params={"child": one}).json()["families"]
    assert listed == [told.json()]
    assert link(desk, [other, third]) == 428
    assert link(desk, [other, third], If_Match='"5d41c0b3a29e"') == 412
    assert link(desk, [other, one]) == 200  # nothing grows: who asks once more is told the same
    grown = desk.post(
        f"{API}/families", json={"children": [other, third]}, headers={"If-Match": told.headers["ETag"]}
    )  # fmt: skip
    assert (grown.status_code, set(grown.json()["children"])) == (200, {one, other, third})
    assert grown.headers["ETag"] != told.headers["ETag"]
    assert link(desk, [one, fourth], If_Match=told.headers["ETag"]) == 412  # as somebody saw it before
    assert set(desk.get(path).json()["children"]) == {one, other, third}


def test_two_families_become_one_by_both_versions(desk: TestClient) -> None:
    first, second = added(desk, "N1", "N2"), added(desk, "N3", "N4")
    for pair in (first, second):
        assert link(desk, pair) == 200
    both = families_seen(desk, first[0], second[0])["If-Match"]
    assert link(desk, [first[0], second[0]], If_Match=both.split(",")[0]) == 412
    assert link(desk, [first[0], second[0]], If_Match=both) == 200
    assert set(desk.get(f"{API}/families", params={"child": first[0]}).json()["families"][0]["children"]) == {
        *first, *second
    }  # fmt: skip


def test_whom_a_manager_took_out_meanwhile_is_not_put_back_unseen(service: Service, desk: TestClient) -> None:
    one, other = added(desk, "N1", "N2")
    assert link(desk, [one, other]) == 200
    seen = families_seen(desk, one)["If-Match"]
    manager = service.as_(Role.MANAGER)
    tag = {"If-Match": manager.get(f"{API}/children/{other}").headers["ETag"]}
    body = {"reason": "not related after all", "siblings": [one]}
    assert manager.post(f"{API}/children/{other}/unlink", json=body, headers=tag).status_code == 204
    assert link(desk, [one, other], If_Match=seen) == 412
    assert desk.get(f"{API}/families", params={"child": other}).json()["families"] == []

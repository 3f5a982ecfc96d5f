"""Who was erased and comes back under the same reference is the same person to whatever was said no to."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Service
from service_rows import files_of
from sqlalchemy import select
from test_import_safeguards import API, HEADINGS, Files, changed, standing
from test_import_safeguards import files as files
from test_import_safeguards import pair as pair

from matcher.readers import Reading
from service.crypto import KeyRing
from service.database import tables
from service.installation import rotate_keys
from service.permissions import Role
from service.repository import Repository

Four = tuple[str, str, str, str]


def erase(service: Service, kind: str, id: str) -> None:
    browser = service.as_(Role.MANAGER)
    etag = {"If-Match": browser.get(f"{API}/{kind}/{id}").headers["ETag"]}
    body = {"reason": "asked to be erased"}
    assert browser.post(f"{API}/{kind}/{id}/erasure", json=body, headers=etag).status_code == 204


def child_of(service: Service, reference: str) -> tables.Child:
    with service.database.read(service.north) as session:
        return session.scalars(select(tables.Child).where(tables.Child.reference == reference)).one()


@pytest.mark.parametrize("rotated", [False, True])
def test_a_childs_no_holds_when_they_come_back_by_a_file(
    service: Service, files: Files, pair: Four, rotated: bool
) -> None:
    """In another spelling too, and though the keys were changed meanwhile."""
    child, _, c, _ = pair
    changed(service, Role.COORDINATOR, f"children/{child}", {"agrees": "no"}, no_by="child")
    erase(service, "children", child)
    if rotated:
        rotate_keys(service.settings, service.database, KeyRing.read(service.settings.keys_file), drop_old=True)
        newer = KeyRing.read(service.settings.keys_file)
        service.keys.keys, service.keys.current = newer.keys, newer.current
    again = c.casefold()
    told = files.look(children=f"child_id,agrees\n{again},yes\n")
    assert {(one["reference"], one["field"]) for one in told["weaker"]} == {(again, "agrees"), (again, "erased")}
    assert "they had said no to any visitor" in next(
        one["sentence"] for one in told["weaker"] if one["field"] == "erased"
    )
    assert files.take(Role.COORDINATOR) == 422
    told = files.look(children=f"child_id,interests\n{again},chess\n")
    assert files.take(Role.MANAGER, *[one["key"] for one in told["weaker"]]) == 201
    row = child_of(service, again)
    assert (row.id, row.objects, row.referral, row.once) == (child, True, True, None)


def test_a_childs_no_holds_when_they_come_back_by_hand(service: Service, pair: Four) -> None:
    child, _, c, _ = pair
    changed(service, Role.COORDINATOR, f"children/{child}", {"agrees": "no"}, no_by="child")
    erase(service, "children", child)
    browser = service.as_(Role.COORDINATOR)
    answer = browser.post(f"{API}/children", json={"reference": c, "facts": {"agrees": "yes"}})
    assert answer.status_code == 422
    assert "said no to any visitor" in answer.text
    answer = browser.post(f"{API}/children", json={"reference": c, "facts": {"interests": "chess"}})
    assert (answer.status_code, answer.json()["id"]) == (201, child)
    assert child_of(service, c).objects


@pytest.mark.parametrize("kind", ["children", "volunteers"])
def test_who_is_erased_twice_is_still_known_when_they_come_back(service: Service, pair: Four, kind: str) -> None:
    child, volunteer, c, v = pair
    changed(service, Role.COORDINATOR, f"children/{child}", {"agrees": "no"}, no_by="child")
    standing(service, volunteer, "suspended", "concern raised")
    id, reference = (child, c) if kind == "children" else (volunteer, v)
    erase(service, kind, id)
    body = {"reason": "asked to be erased"}
    again = service.as_(Role.MANAGER).post(f"{API}/{kind}/{id}/erasure", json=body)
    assert (again.status_code, "They were erased already." in again.text) == (409, True)
    answer = service.as_(Role.COORDINATOR).post(f"{API}/{kind}", json={"reference": reference, "facts": {}})
    assert (answer.status_code, answer.json()["id"]) == (201, id)
    if kind == "children":
        assert child_of(service, reference).objects
    else:
        assert answer.json()["status"] == "suspended"


def test_a_suspension_and_a_no_hold_when_a_volunteer_comes_back(service: Service, files: Files, pair: Four) -> None:
    child, volunteer, c, v = pair
    files.look(declined=f"{HEADINGS['declined']}\n{c},{v},child\n", volunteers=f"volunteer_id\n{v}\n")
    assert files.take(Role.COORDINATOR) == 201
    standing(service, volunteer, "suspended", "concern raised")
    erase(service, "volunteers", volunteer)
    told = files.look(volunteers=f"volunteer_id,status\n{v},approved\n")
    sentences = {one["field"]: one["sentence"] for one in told["weaker"]}
    assert set(sentences) == {"erased"}  # and that they are approved is not taken in
    assert "they were suspended and one pair of theirs was declined" in sentences["erased"]
    answer = service.as_(Role.COORDINATOR).post(f"{API}/volunteers", json={"reference": v, "facts": {}})
    assert (answer.status_code, answer.json()["id"], answer.json()["status"]) == (201, volunteer, "suspended")
    with service.database.read(service.north) as session:
        no = session.scalars(select(tables.Declined).where(tables.Declined.volunteer_id == volunteer)).one()
    assert no.child_id == child


def test_a_family_is_found_by_the_reference_of_a_child_who_was_erased(
    service: Service, files: Files, pair: Four
) -> None:
    _, _, _, v = pair
    past = f"{HEADINGS['matches']}\nN-1,{v},ended,N-1,01/01/2024,01/01/2025\n"
    files.look(children="child_id,family\nN-1,N-1\n", volunteers=f"volunteer_id\n{v}\n", matches=past)
    assert files.take(Role.COORDINATOR) == 201
    first = child_of(service, "N-1")
    erase(service, "children", first.id)
    files.look(children="child_id,family\nN-2,n-1\n")
    assert files.take(Role.COORDINATOR) == 201
    assert child_of(service, "N-2").family_id == first.family_id


def test_nothing_of_a_reference_is_left(service: Service, pair: Four) -> None:
    child, _, c, _ = pair
    erase(service, "children", child)
    with service.database.read(service.north) as session:
        row = session.get_one(tables.Child, child)
        rows = Repository(session, service.keys)
        assert row.once == rows.once(c) != rows.once(f"{c}9")
    with service.database.read(service.south) as session:
        assert Repository(session, service.keys).once(c) != row.once  # of one authority alone
    assert c.casefold() not in str(row.__dict__).casefold()


def test_who_comes_back_without_a_no_asks_nobody(
    service: Service, files: Files, pair: Four, small_county: Reading
) -> None:
    child, _, c, _ = pair
    erase(service, "children", child)
    told: dict[str, Any] = service.as_(Role.COORDINATOR).post(
        f"{API}/imports/check", files=files_of(small_county, {("children", c, "manager_approved"): ""})
    ).json()  # fmt: skip
    assert [one["field"] for one in told["weaker"] if one["field"] == "erased"] == []
    assert told["new"] == {"children": 1}

"""Children and volunteers over the API: what is entered, changed and stopped, by whom, and what is told of it."""

from __future__ import annotations

import re

import pytest
from api_desk import API, CANARY, changed
from api_desk import desk as desk
from api_desk import manager as manager
from conftest import Service
from fastapi.testclient import TestClient
from service_rows import families_seen, put_in_order
from sqlalchemy import func, select

from matcher.readers import Reading
from service.database import tables
from service.repository import Repository


def test_a_child_is_entered_in_the_words_of_the_columns(desk: TestClient) -> None:
    facts = {"date_of_birth": "03/05/2014", "languages": "English; Tigrinya", "placement": "NN1", "agrees": "yes"}
    made = desk.post(f"{API}/children", json={"reference": "N1", "siblings": [], "facts": facts})
    assert made.status_code == 201
    told = desk.get(f"{API}/children/{made.json()['id']}").json()
    assert told["reference"] == "N1"
    assert told["facts"]["date_of_birth"] == "2014-05-03"
    assert told["facts"]["languages"] == ["en", "ti"]
    assert told["facts"]["placement_council"] == "E06000062"  # where most of NN1 lies
    assert told["facts"]["gender"] is None  # not recorded, not guessed
    assert desk.post(f"{API}/children", json={"reference": "N1"}).status_code == 409


@pytest.mark.parametrize(
    ("facts", "where"),
    [
        ({"date_of_birth": "31/02/2014"}, "children, date_of_birth"),
        ({"date_of_birth": "03/05/2090"}, "children, date_of_birth"),
        ({"languages": CANARY}, "children, languages"),
        ({"gender": CANARY}, "children, gender"),
        ({"agrees": CANARY}, "children, agrees"),
        ({"interests": f"football; {CANARY}"}, "children, interests"),
    ],
)
def test_a_fact_that_cannot_be_is_refused_at_its_place(desk: TestClient, facts: dict[str, str], where: str) -> None:
    answer = desk.post(f"{API}/children", json={"reference": "N1", "facts": facts})
    assert (answer.status_code, [one["where"] for one in answer.json()["problems"]]) == (422, [where])
    assert CANARY not in answer.text
    assert desk.get(f"{API}/children").json()["total"] == 30  # nothing was kept


def test_who_changes_second_is_told_and_loses_nothing(service: Service, desk: TestClient) -> None:
    child = service.children()[0]
    url, body = f"{API}/children/{child}", {"facts": {"interests": "chess"}}
    tag = desk.get(url).headers["ETag"]
    assert desk.patch(url, json=body).status_code == 428
    first = desk.patch(url, json=body, headers={"If-Match": tag})
    assert (first.status_code, first.json()["facts"]["interests"]) == (200, ["chess"])
    assert desk.patch(url, json={"facts": {"interests": "none"}}, headers={"If-Match": tag}).status_code == 412
    assert desk.get(url).json()["facts"]["interests"] == ["chess"]


def test_approval_and_money_are_a_managers_word(service: Service, desk: TestClient, manager: TestClient) -> None:
    path = f"/children/{service.children()[0]}"
    for fact in ("manager_approved", "funding_agreed"):
        assert changed(desk, path, {"facts": {fact: "yes"}}).status_code == 403
        assert changed(manager, path, {"facts": {fact: "yes"}}).json()["facts"][fact] is True


def test_names_are_kept_apart_and_each_reading_is_logged(service: Service, desk: TestClient) -> None:
    child = service.children()[0]
    assert changed(desk, f"/children/{child}/person", {"name": CANARY}, "PUT").status_code == 200
    assert CANARY not in desk.get(f"{API}/children/{child}").text
    assert desk.get(f"{API}/children/{child}/person").json()["name"] == CANARY
    with service.database.read(service.north) as session:
        reasons = session.scalars(select(tables.AuditEvent.reason).where(tables.AuditEvent.subject == child)).all()
    assert "person" in reasons


def test_volunteers_are_filtered_sorted_and_paged(desk: TestClient) -> None:
    whole = desk.get(f"{API}/volunteers", params={"size": 200}).json()
    assert whole["total"] == 20
    names = [line["reference"] for line in whole["volunteers"]]
    assert names == sorted(names)
    pages = [desk.get(f"{API}/volunteers", params={"page": n, "size": 6}).json()["volunteers"] for n in (1, 2, 3, 4)]
    assert [line["reference"] for page in pages for line in page] == names
    approved = desk.get(f"{API}/volunteers", params={"status": "approved", "size": 200}).json()["volunteers"]
    assert {line["status"] for line in approved} == {"approved"}
    free = desk.get(f"{API}/volunteers", params={"free": True, "size": 200}).json()["volunteers"]
    assert {line["id"] for line in free} == {
        line["id"] for line in whole["volunteers"] if line["live"] < line["capacity"]
    }


def test_a_suspension_stops_every_visit_in_the_same_transaction(
    service: Service, desk: TestClient, manager: TestClient
) -> None:
    with service.database.read(service.north) as session:
        active = session.scalars(select(tables.Match).where(tables.Match.state == "active")).first()
        assert active is not None
        past = session.scalars(
            select(tables.Match.id).where(
                tables.Match.volunteer_id == active.volunteer_id, tables.Match.state == "ended"
            )
        ).all()
    with service.database.write(service.north) as session:
        put_in_order(Repository(session, service.keys), active.volunteer_id)
    path = f"/volunteers/{active.volunteer_id}/status"
    told = changed(desk, path, {"status": "suspended", "reason": "concern raised"}, "POST").json()
    assert (told["paused"], sorted(told["past"])) == ([active.id], sorted(past))
    match = desk.get(f"{API}/matches/{active.id}").json()
    assert (match["state"], match["timeline"][-1]["step"], match["timeline"][-1]["reason"]) == (
        "paused", "pause", "a concern about the volunteer"
    )  # fmt: skip
    again = {"status": "approved", "reason": "investigation closed", "found": "Nothing."}
    assert changed(desk, path, again, "POST").status_code == 403
    assert changed(desk, path, {"status": "applicant", "reason": "other"}, "POST").status_code == 403  # nor that way
    assert changed(desk, path, {"status": "resigned", "reason": "own wish"}, "POST").status_code == 200
    assert changed(desk, path, {"status": "applicant", "reason": "other"}, "POST").status_code == 403
    assert changed(manager, path, again, "POST").status_code == 200
    assert desk.get(f"{API}/matches/{active.id}").json()["state"] == "paused"  # a person resumes it


def test_a_past_appointment_of_a_suspended_volunteer_is_brought_up(service: Service, desk: TestClient) -> None:
    active = service.a_match()
    body = {"step": "end", "by": "planned", "reason": "planned ending"}
    assert changed(desk, f"/matches/{active}/steps", body, "POST").json()["state"] == "ended"
    volunteer = desk.get(f"{API}/matches/{active}").json()["volunteer"]
    told = changed(
        desk, f"/volunteers/{volunteer}/status", {"status": "suspended", "reason": "complaint"}, "POST"
    ).json()
    assert active in told["past"]
    last = desk.get(f"{API}/matches/{active}").json()["timeline"][-1]
    assert (last["step"], last["reason"]) == ("brought_up", "complaint")


def test_a_childs_no_ends_what_is_live(service: Service, desk: TestClient) -> None:
    match = desk.get(f"{API}/matches/{service.a_match()}").json()
    assert (
        changed(desk, f"/children/{match['child']}", {"facts": {"agrees": "no"}, "no_by": "child"}).status_code == 200
    )
    assert desk.get(f"{API}/matches/{match['id']}").json()["state"] == "ended"


def test_a_referral_takes_away_no_no(service: Service, desk: TestClient) -> None:
    files = [("files", ("volunteers.csv", b"volunteer_id,known_children\nV9001,C9001\n")),
             ("files", ("children.csv", b"child_id\n"))]  # fmt: skip
    told = desk.post(f"{API}/imports/check", files=files).json()
    assert "is among neither the children nor the matches" in [one["wrong"] for one in told["problems"]]
    assert desk.post(f"{API}/imports", files=files, data={"stamp": told["stamp"]}).status_code == 201
    with service.database.read(service.north) as session:
        child = session.scalars(select(tables.Child.id).where(tables.Child.reference == "C9001")).one()
    assert changed(desk, f"/children/{child}", {"facts": {"agrees": "no"}, "no_by": "child"}).status_code == 200
    for word in ("yes", "not asked", ""):
        refused = desk.post(f"{API}/children", json={"reference": "C9001", "facts": {"agrees": word}})
        assert refused.status_code == 422
        assert "said no to any visitor before" in refused.text
    assert desk.post(f"{API}/children", json={"reference": "C9001", "facts": {}}).status_code == 201
    with service.database.read(service.north) as session:
        assert session.get_one(tables.Child, child).objects


@pytest.mark.parametrize("typed", ["J Smith", "C9999", "{child}; C9999", "{child}A"])
def test_who_is_known_to_a_volunteer_is_a_child_in_kith(
    service: Service, desk: TestClient, small_county: Reading, typed: str
) -> None:
    """A slip of the hand lost who it was, and a name stood in the rows as a reference, unsealed."""
    child = small_county.grids["children"].rows[0][1][0]
    path = f"/volunteers/{service.eligible_pair()[1]}"
    with service.database.read(service.north) as session:
        before = session.scalar(select(func.count()).select_from(tables.Child))
    told = changed(desk, path, {"facts": {"known_children": typed.format(child=child)}})
    assert told.status_code == 422
    (problem,) = told.json()["problems"]
    assert problem["where"] == "volunteers, known_children"
    assert problem["wrong"].startswith("names a child who is not in Kith. Check each reference")
    assert "Smith" not in told.text
    with service.database.read(service.north) as session:
        assert session.scalar(select(func.count()).select_from(tables.Child)) == before
    page = desk.get(f"{path}/change/independence").text
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version
    form = {"version": version[1], "known_children": typed.format(child=child)}
    answer = desk.post(f"{path}/change/independence", data=form, headers={"Accept": "text/html"})
    assert answer.status_code == 422
    assert "Names a child who is not in Kith. Check each reference" in answer.text
    file = ("volunteers.csv", b"volunteer_id,known_children\nN-900,J Smith\n")
    told = desk.post(f"{API}/imports/check", files=[("files", file), ("files", ("children.csv", b"child_id\n"))])
    assert [one["wrong"] for one in told.json()["problems"] if one["rejected"]] == [
        "is no child in Kith, and no reference either, as it has no number"
    ]
    assert changed(desk, path, {"facts": {"known_children": child}}).status_code == 200


def test_a_child_is_no_sibling_of_themselves(service: Service, desk: TestClient) -> None:
    """By their own reference they would come to have none, and be matched by it."""
    made = desk.post(f"{API}/children", json={"reference": "N1"}).json()["id"]
    page = desk.post(f"/children/{made}/siblings", data={"siblings": "n1"}, headers={"Accept": "text/html"})
    assert (page.status_code, "N1: that is this child" in page.text) == (422, True)
    for children in ([made, made], [made]):
        assert desk.post(f"{API}/families", json={"children": children}).status_code == 422
    assert "Whether there are brothers and sisters is not recorded" in desk.get(f"/children/{made}").text


def test_a_sibling_found_later_is_told_of_at_once(service: Service, desk: TestClient, manager: TestClient) -> None:
    active = desk.get(f"{API}/matches/{service.a_match()}").json()
    other = desk.post(f"{API}/children", json={"reference": "N1", "siblings": []}).json()["id"]
    both = [active["child"], other]
    linked = desk.post(f"{API}/families", json={"children": both}, headers=families_seen(desk, *both)).json()
    assert {active["child"], other} <= set(linked["children"])
    assert linked["irregular"] == []
    explained = desk.get(f"{API}/children/{other}/volunteers/{active['volunteer']}/explanation").json()
    assert "sibling_history" in {one["rule"] for one in explained["reasons"] if one["verdict"] == "fails"}
    siblings = [one for one in linked["children"] if one != other]
    unlinking = {"reason": "not related after all", "siblings": siblings}
    assert desk.post(f"{API}/children/{other}/unlink", json=unlinking).status_code == 403
    tag = {"If-Match": manager.get(f"{API}/children/{other}").headers["ETag"]}
    assert manager.post(f"{API}/children/{other}/unlink", json=unlinking).status_code == 428
    for seen in ([], [*siblings, service.children()[-1]]):  # somebody was linked, or taken out, since they were read
        refused = manager.post(f"{API}/children/{other}/unlink", json={**unlinking, "siblings": seen}, headers=tag)
        assert refused.status_code == 412
    done = manager.post(f"{API}/children/{other}/unlink", json=unlinking, headers=tag)
    assert (done.status_code, done.headers["ETag"] != tag["If-Match"]) == (204, True)
    assert manager.post(f"{API}/children/{other}/unlink", json=unlinking, headers=tag).status_code == 412
    assert desk.get(f"{API}/families/{linked['id']}").status_code == 404  # nobody knows of siblings any more

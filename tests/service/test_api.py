"""The API's resources as a coordinator and a manager use them: what is entered, changed, refused, and by whom."""

from __future__ import annotations

import csv
import re
from io import StringIO
from typing import Any

import pytest
from conftest import Service
from fastapi.testclient import TestClient
from service_rows import cell, files_of, put_in_order
from sqlalchemy import func, select

from matcher.readers import Reading
from service.database import tables
from service.importing import looking
from service.permissions import Permission, Role
from service.repository import Repository

API = "/api/v1"
CANARY = "Zebedee-Quince"


@pytest.fixture
def desk(service: Service) -> TestClient:
    return service.as_(Role.COORDINATOR)


@pytest.fixture
def manager(service: Service) -> TestClient:
    return service.as_(Role.MANAGER)


def changed(browser: TestClient, path: str, body: dict[str, Any], method: str = "PATCH") -> Any:
    """Changes something as it stands now."""
    base = re.sub(r"/(status|person|steps|unlink|withdraw)$", "", path)
    tag = browser.get(f"{API}{base}").headers["ETag"]
    return browser.request(method, f"{API}{path}", json=body, headers={"If-Match": tag})


# ---- children and volunteers -----------------------------------------------------------------------------------------


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
    assert changed(desk, f"/children/{match['child']}", {"facts": {"agrees": "no"}}).status_code == 200
    assert desk.get(f"{API}/matches/{match['id']}").json()["state"] == "ended"


def test_a_referral_takes_away_no_no(service: Service, desk: TestClient) -> None:
    files = [("files", ("volunteers.csv", b"volunteer_id,known_children\nV9001,C9001\n")),
             ("files", ("children.csv", b"child_id\n"))]  # fmt: skip
    told = desk.post(f"{API}/imports/check", files=files).json()
    assert "is among neither the children nor the matches" in [one["wrong"] for one in told["problems"]]
    assert desk.post(f"{API}/imports", files=files, data={"stamp": told["stamp"]}).status_code == 201
    with service.database.read(service.north) as session:
        child = session.scalars(select(tables.Child.id).where(tables.Child.reference == "C9001")).one()
    assert changed(desk, f"/children/{child}", {"facts": {"agrees": "no"}}).status_code == 200
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
    linked = desk.post(f"{API}/families", json={"children": [active["child"], other]}).json()
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


# ---- exceptions, budgets, policies -----------------------------------------------------------------------------------


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


# ---- imports ---------------------------------------------------------------------------------------------------------


def test_the_same_files_again_change_nothing(desk: TestClient, small_county: Reading) -> None:
    told = desk.post(f"{API}/imports/check", files=files_of(small_county)).json()
    assert (told["usable"], told["changed"], told["weaker"], told["new"]) == (True, [], [], {})


def test_an_import_is_told_confirmed_and_done(service: Service, desk: TestClient, small_county: Reading) -> None:
    reference = small_county.grids["children"].rows[0][1][0]
    files = files_of(small_county, {("children", reference, "interests"): "chess"})
    told = desk.post(f"{API}/imports/check", files=files).json()
    assert told["changed"] == [{"sheet": "children", "reference": reference, "fields": ["interests"]}]
    other = files_of(small_county)
    assert desk.post(f"{API}/imports", files=other, data={"stamp": told["stamp"]}).status_code == 409
    done = desk.post(f"{API}/imports", files=files, data={"stamp": told["stamp"]})
    assert (done.status_code, done.json()["rows"]) == (201, {"children changed": 1})
    assert done.json()["given"]["children"] == len(small_county.grids["children"].rows)
    stale = desk.post(f"{API}/imports", files=files, data={"stamp": told["stamp"]})
    assert stale.status_code == 409  # the data are not those beside which it was looked at
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        row = session.scalars(select(tables.Child).where(tables.Child.reference == reference)).one()
        assert rows.child_record(row, True).interests == ("chess",)


def test_a_safeguard_weakens_only_by_its_own_key_and_a_manager(
    desk: TestClient, manager: TestClient, small_county: Reading
) -> None:
    objects = cell(small_county, "children", "agrees", "no")
    issue = small_county.grids["volunteers"].rows[0][1][0]
    files = files_of(small_county, {("children", objects, "agrees"): "yes", ("volunteers", issue, "household"): ""})
    told = manager.post(f"{API}/imports/check", files=files).json()
    assert [(one["reference"], one["field"]) for one in told["weaker"]] == [(objects, "agrees")]
    data: dict[str, Any] = {"stamp": told["stamp"]}
    assert manager.post(f"{API}/imports", files=files, data=data).status_code == 422
    assert manager.post(f"{API}/imports", files=files, data={**data, "weaken": ["0" * 16]}).status_code == 422
    data["weaken"] = [one["key"] for one in told["weaker"]]
    assert desk.post(f"{API}/imports", files=files, data=data).status_code == 403
    assert manager.post(f"{API}/imports", files=files, data=data).status_code == 201


def test_more_safeguards_than_anybody_reads_are_taken_from_no_file(
    service: Service, manager: TestClient, small_county: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = cell(small_county, "children", "agrees", "no")
    files = files_of(small_county, {("children", objects, "agrees"): "yes"})
    told = manager.post(f"{API}/imports/check", files=files).json()
    data: dict[str, Any] = {"stamp": told["stamp"], "weaken": [one["key"] for one in told["weaker"]]}
    monkeypatch.setattr(looking, "MOST_WEAKER", 0)
    refused = manager.post(f"{API}/imports", files=files, data=data)
    assert (refused.status_code, "safeguards would weaken" in refused.text) == (422, True)
    monkeypatch.undo()
    assert manager.post(f"{API}/imports", files=files, data=data).status_code == 201


def test_a_program_that_may_not_identify_is_not_told_what_a_file_would_change(
    service: Service, small_county: Reading
) -> None:
    """Otherwise it could find out what is recorded of anybody by sending guesses."""
    answers = []
    for scopes in ([Permission.WRITE], [Permission.WRITE, Permission.IDENTIFY]):
        program = service.program(Role.MANAGER, *scopes)
        answers.append(program.post(f"{API}/imports/check", files=files_of(small_county)).status_code)
    assert answers == [403, 200]


def test_a_managers_word_of_new_children_takes_their_key_and_a_manager(desk: TestClient, manager: TestClient) -> None:
    text = "child_id,manager_approved,funding_agreed\nN-901,yes,no\nN-902,yes,no\n"
    files = [("files", ("children.csv", text.encode())), ("files", ("volunteers.csv", b"volunteer_id\n"))]
    told = desk.post(f"{API}/imports/check", files=files).json()
    assert [(one["field"], one["children"]) for one in told["weaker"]] == [("manager_approved", ["N-901", "N-902"])]
    data: dict[str, Any] = {"stamp": told["stamp"]}
    assert desk.post(f"{API}/imports", files=files, data=data).status_code == 422
    data["weaken"] = [one["key"] for one in told["weaker"]]
    assert desk.post(f"{API}/imports", files=files, data=data).status_code == 403
    assert manager.post(f"{API}/imports", files=files, data=data).status_code == 201


@pytest.mark.parametrize("word", ["approved", "applicant", ""])
def test_no_file_takes_a_suspended_volunteer_back_unseen(
    desk: TestClient, manager: TestClient, small_county: Reading, word: str
) -> None:
    reference = cell(small_county, "volunteers", "status", "approved")
    found = desk.get(f"{API}/volunteers", params={"size": 200}).json()["volunteers"]
    id = next(line["id"] for line in found if line["reference"] == reference)
    stop = {"status": "suspended", "reason": "concern raised"}
    assert changed(desk, f"/volunteers/{id}/status", stop, "POST").status_code == 200
    files = files_of(small_county, {("volunteers", reference, "status"): word})
    told = desk.post(f"{API}/imports/check", files=files).json()
    assert [(one["reference"], one["field"]) for one in told["weaker"]] == [(reference, "status")]
    data = {"stamp": told["stamp"], "weaken": [one["key"] for one in told["weaker"]]}
    assert desk.post(f"{API}/imports", files=files, data=data).status_code == 403


def test_a_reference_in_another_spelling_is_no_new_person(desk: TestClient, small_county: Reading) -> None:
    child, other = (row[0] for _, row in small_county.grids["children"].rows[:2])
    volunteer = small_county.grids["volunteers"].rows[0][1][0]
    files = {
        "children.csv": f"child_id,agrees\n{child.lower()},yes\n",
        "volunteers.csv": f"volunteer_id,known_children\n{volunteer.lower()},{other.replace('C', 'C-')}\n",
    }
    sent = [("files", (name, text.encode())) for name, text in files.items()]
    told = desk.post(f"{API}/imports/check", files=sent).json()
    assert {(one["column"], one["wrong"]) for one in told["problems"] if one["rejected"]} == {
        ("child_id", f"is not in Kith, and {child} is"),
        ("known_children", f"is not in Kith, and {other} is"),
        ("volunteer_id", f"is not in Kith, and {volunteer} is"),
    }
    for path, reference in (("children", child.lower()), ("volunteers", volunteer.lower())):
        assert desk.post(f"{API}/{path}", json={"reference": reference, "facts": {}}).status_code == 409
    somebody = desk.get(f"{API}/volunteers").json()["volunteers"][0]["id"]
    knows = {"facts": {"known_children": child.lower()}}
    path = f"{API}/volunteers/{somebody}"
    answer = desk.patch(path, json=knows, headers={"If-Match": desk.get(path).headers["ETag"]})
    assert answer.status_code == 409
    assert child.lower() not in answer.text


def test_a_family_in_another_spelling_does_not_part_siblings(desk: TestClient, small_county: Reading) -> None:
    one = small_county.grids["children"].rows[0][1][0]
    first = files_of(small_county, {("children", one, "family"): "F-00777"})
    told = desk.post(f"{API}/imports/check", files=first).json()
    assert desk.post(f"{API}/imports", files=first, data={"stamp": told["stamp"]}).status_code == 201

    def sent(family: str) -> dict[str, Any]:
        files = {
            "children.csv": f"child_id,family,agrees\nNEW99,{family},yes\n",
            "volunteers.csv": "volunteer_id\nNEW98\n",
        }
        sent = [("files", (name, text.encode())) for name, text in files.items()]
        return desk.post(f"{API}/imports/check", files=sent).json()

    wrong = [one for one in sent("f777")["problems"] if one["rejected"]]
    assert [(one["row"], one["column"], one["value"], one["wrong"]) for one in wrong] == [
        (2, "family", "f777", "is not in Kith, and f-00777 is")
    ]
    for fine in ("f-00777", "F-00778", "none"):  # capitals do not part siblings
        assert sent(fine)["usable"], fine


def test_a_column_that_a_file_lacks_is_left_as_it_is(desk: TestClient, small_county: Reading) -> None:
    files = files_of(small_county)
    for place, (_, (name, content)) in enumerate(files):
        if name == "volunteers.csv":
            table = list(csv.reader(StringIO(content.decode())))
            at = table[0].index("known_children")
            text = StringIO()
            csv.writer(text).writerows([*row[:at], *row[at + 1 :]] for row in table)
            files[place] = ("files", (name, text.getvalue().encode()))
    told = desk.post(f"{API}/imports/check", files=files).json()
    assert (told["usable"], told["changed"], told["weaker"]) == (True, [], [])


def test_siblings_that_a_file_names_are_told_and_joined(
    service: Service, desk: TestClient, small_county: Reading
) -> None:
    one, other = (cells[0] for _, cells in small_county.grids["children"].rows[:2])
    files = files_of(small_county, {("children", one, "family"): "FX", ("children", other, "family"): "FX"})
    told = desk.post(f"{API}/imports/check", files=files).json()
    assert {(line["reference"], *line["fields"]) for line in told["changed"]} >= {(one, "family"), (other, "family")}
    assert desk.post(f"{API}/imports", files=files, data={"stamp": told["stamp"]}).status_code == 201
    with service.database.read(service.north) as session:
        families = session.scalars(select(tables.Child.family_id).where(tables.Child.reference.in_([one, other]))).all()
    assert len(set(families)) == 1
    for again in (files, files_of(small_county)):  # and the older files do not part them again
        assert desk.post(f"{API}/imports/check", files=again).json()["weaker"] == []
    assert desk.post(f"{API}/imports/check", files=files).json()["changed"] == []


def test_what_is_wrong_in_files_is_a_list(desk: TestClient, small_county: Reading) -> None:
    reference = small_county.grids["children"].rows[0][1][0]
    files = files_of(small_county, {("children", reference, "date_of_birth"): "31/02/2012"})
    told = desk.post(f"{API}/imports/check", files=files).json()
    wrong = [one for one in told["problems"] if one["rejected"]]
    assert [(one["file"], one["row"], one["column"], one["value"]) for one in wrong] == [
        ("children.csv", 2, "date_of_birth", "31/02/2012")
    ]
    assert not told["usable"]
    assert desk.post(f"{API}/imports/check", files=[("files", ("x.zip", b"PK\x03\x04"))]).json()["usable"] is False


# ---- proposals -------------------------------------------------------------------------------------------------------


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

"""Files over the API: told, confirmed and taken in, what weakens a safeguard needs its own key."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

import pytest
from api_desk import API, changed
from api_desk import desk as desk
from api_desk import manager as manager
from conftest import Service
from fastapi.testclient import TestClient
from service_rows import cell, files_of
from sqlalchemy import select

from matcher.readers import Reading
from service.database import tables
from service.importing import echo
from service.permissions import Permission, Role
from service.repository import Repository


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
    monkeypatch.setattr(echo, "MOST_WEAKER", 0)
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
def test_no_file_takes_back_unseen_whom_a_lapsed_check_stopped(
    desk: TestClient, manager: TestClient, small_county: Reading, word: str
) -> None:
    reference = cell(small_county, "volunteers", "status", "approved")
    found = desk.get(f"{API}/volunteers", params={"size": 200}).json()["volunteers"]
    id = next(line["id"] for line in found if line["reference"] == reference)
    stop = {"status": "suspended", "reason": "check lapsed"}
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


def test_providers_come_with_the_files_that_name_them_and_under_one_name(
    service: Service, desk: TestClient, small_county: Reading
) -> None:
    def listed() -> dict[str, str]:
        return {one["name"]: one["id"] for one in desk.get(f"{API}/organisations").json()["organisations"]}

    def take_in(provider: str) -> None:
        files = files_of(small_county, {("children", reference, "provider"): provider})
        stamp = desk.post(f"{API}/imports/check", files=files).json()["stamp"]
        done = desk.post(f"{API}/imports", files=files, data={"stamp": stamp})
        assert done.status_code == 201, done.text

    reference = small_county.grids["children"].rows[0][1][0]
    at_first = set(listed())
    assert "Bluebell Homes" not in at_first
    take_in("Bluebell Homes")
    assert set(listed()) == at_first | {"Bluebell Homes"}
    at = f"/organisations/{listed()['Bluebell Homes']}"
    renamed = changed(desk, at, {"name": "Foxglove Care"})
    assert renamed.status_code == 200
    take_in("The Bluebell Homes Ltd")  # what it was called before, otherwise written
    assert set(listed()) == at_first | {"Foxglove Care"}
    with service.database.read(service.north) as session:
        entry = select(tables.AuditEvent).where(tables.AuditEvent.action == "import")
        assert [one.details.get("organisations") for one in session.scalars(entry)][-2:] == [1, None]

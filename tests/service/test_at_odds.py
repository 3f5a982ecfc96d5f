"""Two numbers that cannot both be are refused where they are entered, and keep nothing else from being recorded."""

from __future__ import annotations

from html import unescape

import pytest
from conftest import Service

from service.database import tables
from service.permissions import Role
from service.repository import Repository

HTML = {"Accept": "text/html"}
BELOW = "Is below the youngest age that stands with it. Correct one of the two."
MORE = "Is more than all the references accepted. Correct one of the two."


@pytest.mark.parametrize(
    ("which", "part", "said", "field", "told"),
    [
        ("children", "wishes", {"prefers_from_age": "60", "prefers_to_age": "30"}, "prefers_to_age", BELOW),
        ("volunteers", "offer", {"youngest_age": "14", "oldest_age": "12"}, "oldest_age", BELOW),
        ("volunteers", "checks", {"references_accepted": "2", "professional_references": "5"},
         "professional_references", MORE),
    ],
)  # fmt: skip
def test_two_numbers_that_cannot_both_be_are_refused_beside_the_field(
    service: Service, which: str, part: str, said: dict[str, str], field: str, told: str
) -> None:
    id = dict(zip(("children", "volunteers"), service.eligible_pair(), strict=True))[which]
    browser, path = service.as_(Role.COORDINATOR), f"/{which}/{id}/change/{part}"
    version = browser.get(f"/api/v1/{which}/{id}").headers["ETag"].strip('"')
    refused = browser.post(path, data={"version": version, **said}, headers=HTML)
    assert refused.status_code == 422
    beside = unescape(refused.text).partition(f'id="{field}-error"')[2].partition("</p>")[0]
    assert told in beside
    etag = {"If-Match": browser.get(f"/api/v1/{which}/{id}").headers["ETag"]}
    assert browser.patch(f"/api/v1/{which}/{id}", json={"facts": said}, headers=etag).status_code == 422
    same = dict.fromkeys(said, "20")
    assert browser.patch(f"/api/v1/{which}/{id}", json={"facts": same}, headers=etag).status_code == 200


def test_what_stood_there_before_keeps_no_child_from_saying_no(service: Service) -> None:
    child, _ = service.eligible_pair()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        row = session.get_one(tables.Child, child)
        record = rows.child_record(row, family_known=True)
        rows.write_child(row, type(record)(**{**vars(record), "prefers_from_age": 60, "prefers_to_age": 30}))
    browser = service.as_(Role.COORDINATOR)
    etag = {"If-Match": browser.get(f"/api/v1/children/{child}").headers["ETag"]}
    answer = browser.patch(f"/api/v1/children/{child}", json={"facts": {"agrees": "no"}}, headers=etag)
    assert answer.status_code == 200, answer.text


def test_a_file_is_told_which_row_says_so(service: Service) -> None:
    file = b"child_id,family,prefers_from_age,prefers_to_age\nC9501,none,25,45\nC9502,none,60,30\n"
    browser = service.as_(Role.COORDINATOR)
    page = browser.post("/imports", files=[("files", ("children.csv", file))], headers=HTML)
    shown = unescape(browser.get(f"{page.url.path}?show=problems", headers=HTML).text)
    assert "is below the youngest age that stands with it" in shown
    assert "C9502" in shown
    assert "C9501" not in shown

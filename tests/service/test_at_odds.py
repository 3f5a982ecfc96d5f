"""Facts that cannot be are refused where they are entered, and keep nothing else from being recorded."""

from __future__ import annotations

from datetime import timedelta
from html import unescape

import pytest
from conftest import Service

from matcher.instance import today
from service import standing
from service.database import tables
from service.permissions import Role
from service.repository import Repository

HTML = {"Accept": "text/html"}
BELOW = "Is below the youngest age that stands with it. Correct one of the two."
TODAY = f"{today():%d/%m/%Y}"
TOMORROW = f"{today() + timedelta(days=1):%d/%m/%Y}"
TO_COME = f"Is after {TODAY}, which is today. Correct the date."
UNBORN = "Is before the date of birth. Correct one of the two."
SESSIONS = "“600” is not a likely number of support sessions in a year. Write a number from 0 to 366."
MORE = "Is more than all the references accepted. Correct one of the two."


@pytest.mark.parametrize(
    ("which", "part", "said", "field", "told"),
    [
        ("children", "wishes", {"prefers_from_age": "60", "prefers_to_age": "30"}, "prefers_to_age", BELOW),
        ("volunteers", "offer", {"youngest_age": "14", "oldest_age": "12"}, "oldest_age", BELOW),
        ("volunteers", "checks", {"references_accepted": "2", "professional_references": "5"},
         "professional_references", MORE),
        ("children", "referral", {"last_parental_visit": TOMORROW}, "last_parental_visit", TO_COME),
        ("children", "referral", {"looked_after_since": TOMORROW}, "looked_after_since", TO_COME),
        ("children", "referral", {"looked_after_since": "01/01/1950"}, "looked_after_since", UNBORN),
        ("children", "referral", {"referred_on": "01/01/1950"}, "referred_on", UNBORN),
        ("volunteers", "checks", {"dbs_checked_on": TOMORROW}, "dbs_checked_on", TO_COME),
        ("volunteers", "checks", {"licence_checked_on": TOMORROW}, "licence_checked_on", TO_COME),
        ("volunteers", "checks", {"support_sessions": "600"}, "support_sessions", SESSIONS),
        ("volunteers", "about", {"date_of_birth": TODAY}, "date_of_birth",
         "Makes an approved volunteer 0 years old. Correct it: nobody under 18 is approved."),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_beside_the_field(
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
    same = dict.fromkeys(said, TODAY if "/" in said[field] else "20")
    if field != "date_of_birth":
        assert browser.patch(f"/api/v1/{which}/{id}", json={"facts": same}, headers=etag).status_code == 200


def test_nobody_under_18_is_approved_whatever_the_policy_asks(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "unchecked", lambda *_: ())  # as under a policy that names no age
    browser = service.as_(Role.MANAGER)
    body = {"reference": "V-901", "facts": {"date_of_birth": TODAY}}
    made = browser.post("/api/v1/volunteers", json=body)
    path, approve = f"/api/v1/volunteers/{made.json()['id']}", {"status": "approved", "reason": "panel approved"}
    refused = browser.post(f"{path}/status", json=approve, headers={"If-Match": made.headers["ETag"]})
    assert refused.status_code == 422
    assert "nobody under 18 is approved" in refused.text
    assert browser.get(path).json()["status"] == "applicant"


def test_what_stood_there_before_keeps_no_child_from_saying_no(service: Service) -> None:
    child, _ = service.eligible_pair()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        row = session.get_one(tables.Child, child)
        record = rows.child_record(row, family_known=True)
        rows.write_child(row, type(record)(**{**vars(record), "prefers_from_age": 60, "prefers_to_age": 30}))
    browser = service.as_(Role.COORDINATOR)
    etag = {"If-Match": browser.get(f"/api/v1/children/{child}").headers["ETag"]}
    answer = browser.patch(
        f"/api/v1/children/{child}", json={"facts": {"agrees": "no"}, "no_by": "child"}, headers=etag
    )
    assert answer.status_code == 200, answer.text


def test_a_file_is_told_which_row_says_so(service: Service) -> None:
    file = b"child_id,family,prefers_from_age,prefers_to_age\nC9501,none,25,45\nC9502,none,60,30\n"
    browser = service.as_(Role.COORDINATOR)
    page = browser.post("/imports", files=[("files", ("children.csv", file))], headers=HTML)
    shown = unescape(browser.get(f"{page.url.path}?show=problems", headers=HTML).text)
    assert "is below the youngest age that stands with it" in shown
    assert "C9502" in shown
    assert "C9501" not in shown

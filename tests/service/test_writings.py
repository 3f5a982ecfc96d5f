"""Whoever changes anything is in the audit log: each route that changes something, by the table of permissions."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from conftest import Service
from writing_acts import SENT_BY_PROGRAMS, Act, Desk
from writing_forms import BESIDES, SENT_BY_PAGES

from matcher.readers import Reading
from service.audit_log import INSTALLATION
from service.middleware import SAFE, RateLimit
from service.permissions import ROUTES

WRITES: Mapping[str, Act] = {**SENT_BY_PROGRAMS, **SENT_BY_PAGES}
STORES_NOTHING = {
    "POST /children/find": "leads to the page of whom a reference names, and that is entered as a reading",
    "POST /volunteers/find": "the same",
    "POST /log/find": "shows entries; the log is no record of a child",
    "POST /policy/draft": "tells what a draft would change: a reading",
    "POST /api/v1/policies/check": "says whether a policy can be read",
    "POST /api/v1/imports/check": "tells what files would change: a reading",
}
"""Posted so that nothing of it stands in an address, or as it is too much for one: no entry of a change, and why."""


def test_every_line_that_may_change_something_has_an_act() -> None:
    assert {*WRITES} == {line for line in ROUTES if line.split()[0] not in SAFE}
    assert {*STORES_NOTHING} <= {*WRITES}


@pytest.mark.parametrize("acts", [SENT_BY_PROGRAMS, SENT_BY_PAGES, BESIDES], ids=["programs", "pages", "besides"])
def test_every_writing_leaves_an_entry_that_names_who_it_was(
    service: Service, small_county: Reading, monkeypatch: pytest.MonkeyPatch, acts: Mapping[str, Act]
) -> None:
    monkeypatch.setattr(RateLimit, "_allowed", lambda *_: True)
    desk, wrong = Desk(service, small_county), []
    for line, act in acts.items():
        answer = act(desk)
        method, path = line.split()
        pattern = re.sub(r"\{\w+\}", "[^/]+", path)
        assert (answer.request.method, bool(re.fullmatch(pattern, answer.request.url.path))) == (method, True), line
        new = [one for one in desk.entries(desk.last) if one.actor == desk.by and one.action != "read"]
        if line in STORES_NOTHING:
            fine = not new and desk.stands() == desk.stood
        else:
            fine = bool(new) and {one.chain for one in new} <= {service.north, INSTALLATION}
        if answer.status_code not in (200, 201, 202, 204, 303) or not fine:
            wrong.append((line, answer.status_code, [one.action for one in new], answer.text[-1500:]))
    assert wrong == [], "\n".join(map(str, wrong))

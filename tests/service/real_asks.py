"""Requests of the API that can succeed as things stand: ids of what is there, and what fits it.

So that a test of every operation reaches what the operation does: an id that is made up is answered 404 before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from browser import PASSWORD
from conftest import Service
from fastapi.testclient import TestClient
from running import ask, run_once, touch
from service_rows import a_child, a_match, a_volunteer
from sqlalchemy import func, select

from matcher.instance import today
from matcher.records import ExceptionKind
from service import auth, exceptions, organisations, steps
from service.brought_up import BROUGHT_UP
from service.database import tables
from service.permissions import MAY, PUBLIC, ROUTES, Role
from service.repository import Repository
from service.runs import ask_for
from service.standing import CONCERN
from service.workflow import State

API = "/api/v1"
LOG_OUT, MAKE_TOKEN = "DELETE /api/v1/session", "POST /api/v1/tokens"
Ready = dict[str, Any]
"""Ids by their name in the path; `body`: what it says in place of the example; `seen`: where its version is told."""


def ids_of(service: Service) -> dict[str, Any]:
    """Whatever stands in a path, of North."""
    child, volunteer = service.eligible_pair()
    mine = {"child_id": child, "volunteer_id": volunteer, "match_id": service.a_match()}
    with service.database.write(service.north) as session:
        run = ask_for(session, service.north, "match ended").id
        rows, user = Repository(session, service.keys), service.users["north", Role.MANAGER]
        several = select(tables.Child.family_id).group_by(tables.Child.family_id).having(func.count() > 1)
        family = session.scalars(several).first()
        of = {
            "family_id": family,
            "siblings": list(session.scalars(select(tables.Child.id).where(tables.Child.family_id == family))),
            "organisation_id": organisations.add(rows, "Bluebell Homes", user_id=user).id,
            "exception_id": exceptions.approve(
                rows, ExceptionKind.SECOND_CHILD, volunteer, None, 2, user_id=user, reason="for a test"
            ).id,
        }
    return {**mine, **of, "run_id": run, "number": 1, "code": "E06000062", "token_id": "0" * 64}


@dataclass
class Asks:
    """What somebody of North asks who may, of what is there."""

    service: Service
    role: Role
    ids: dict[str, Any]
    browser: TestClient = field(init=False)
    program: TestClient = field(init=False)

    def __post_init__(self) -> None:
        self.browser = self.service.as_(self.role)
        self.program = self.service.program(self.role, *MAY[self.role])

    def send(self, line: str, told: dict[str, Any], *, by_token: bool = False) -> Any:
        """The example that the document has of a request, with what is there in place of what the example names.

        By a login, or by a token where tokens may.
        """
        method, path = line.split()
        ready = READY[line](self) if line in READY else {}
        path, body = path.format(**self.ids | ready), ready.get("body", {})
        headers = {"If-Match": tag_of(self.browser, ready.get("seen", path))} if "428" in told["responses"] else {}
        sent: dict[str, Any] = {}
        kinds = told.get("requestBody", {}).get("content", {})
        if "application/json" in kinds:
            sent = {"json": kinds["application/json"]["example"] | body}
        elif kinds:
            sent = {"files": self.files(), "data": body}
        return self._whose(line, by_token).request(method, path, headers=headers, follow_redirects=False, **sent)

    def _whose(self, line: str, by_token: bool) -> TestClient:
        if ROUTES[line] is PUBLIC:
            return self.service.client  # a login would end the other
        if by_token and line != MAKE_TOKEN:
            return self.program
        return self.service.as_(self.role) if line == LOG_OUT else self.browser

    # ---- what has to be there before ---------------------------------------------------------------------------------

    def a_password(self) -> Ready:
        with self.service.database.write() as session:
            user = session.get_one(tables.User, self.service.users["north", self.role])
            auth.set_password(user, PASSWORD)
            return {"body": {"email": user.email, "password": PASSWORD}}

    def a_token(self) -> Ready:
        self.browser.post(f"{API}/tokens", json={"name": "of a test", "scopes": ["self"]})
        return {"token_id": self.browser.get(f"{API}/tokens").json()["tokens"][0]["id"]}

    def a_family(self) -> Ready:
        return {"seen": f"{API}/families/{self.ids['family_id']}", "body": {"children": self.ids["siblings"]}}

    def siblings(self) -> Ready:
        first, *others = self.ids["siblings"]
        return {"child_id": first, "body": {"siblings": others}}

    def what_was_shown(self) -> Ready:
        shown = self.browser.get(f"{API}/children/{self.ids['child_id']}/shortlist").json()
        return {"body": {"served": shown["served"], "volunteer": shown["shortlist"][0]["volunteer"]}}

    def a_proposal(self) -> Ready:
        """The one that was made last."""
        with self.service.database.read(self.service.north) as session:
            of_proposals = select(tables.Match.id).join(tables.Proposal, tables.Proposal.match_id == tables.Match.id)
            last = session.scalars(of_proposals.order_by(tables.Match.created_at.desc())).first()
        return {"match_id": last, "body": {"step": "ask_volunteer", "by": "authority", "reason": None}}

    def a_match_of_before(self) -> Ready:
        """Of which the child is to be asked, since a concern about the volunteer."""
        with self.rows() as rows:
            volunteer = rows.volunteer(self.ids["volunteer_id"])
            match = a_match(rows.session, a_child(rows, "OLD-1"), volunteer, State.ENDED, place=None)
            rows.session.flush()
            manager = self.service.users["north", Role.MANAGER]
            steps.note(rows, match, BROUGHT_UP, user_id=manager, reason=CONCERN)
            return {"match_id": match.id, "body": {"on": today().isoformat()}}

    def a_child_entered_by_mistake(self) -> Ready:
        with self.rows() as rows:
            return {"child_id": a_child(rows, "OLD-2").id}

    def a_volunteer_entered_by_mistake(self) -> Ready:
        with self.rows() as rows:
            return {"volunteer_id": a_volunteer(rows, "OLD-2").id}

    def the_stamp(self) -> Ready:
        return {"body": {"stamp": self.browser.post(f"{API}/imports/check", files=self.files()).json()["stamp"]}}

    def a_run_that_waits(self) -> Ready:
        touch(self.service.database, self.service.north)
        return {"run_id": ask(self.service.database, self.service.north)}

    def a_plan(self) -> Ready:
        """Of the data as they are now."""
        touch(self.service.database, self.service.north)
        return {"run_id": run_once(self.service.database, self.service.keys, self.service.north)}

    def files(self) -> list[tuple[str, tuple[str, bytes]]]:
        """Of the two who are there already."""
        with self.rows() as rows:
            child, volunteer = rows.child(self.ids["child_id"]), rows.volunteer(self.ids["volunteer_id"])
            told = {"children": f"child_id,interests\n{child.reference},chess\n",
                    "volunteers": f"volunteer_id\n{volunteer.reference}\n"}  # fmt: skip
        return [("files", (f"{name}.csv", text.encode())) for name, text in told.items()]

    @contextmanager
    def rows(self) -> Iterator[Repository]:
        with self.service.database.write(self.service.north) as session:
            yield Repository(session, self.service.keys)


def tag_of(browser: TestClient, path: str) -> str:
    """The version of what is changed there, as its own address tells it."""
    record = re.sub(r"/(status|person|steps|take-back|asked|unlink|withdraw)$", "", path)
    told = browser.get(re.sub(r"/policies$", "/policies/current", record))
    return str(told.headers.get("ETag", '"1"'))


READY: Mapping[str, Callable[[Asks], Ready]] = {
    "POST /api/v1/session": Asks.a_password,
    "DELETE /api/v1/tokens/{token_id}": Asks.a_token,
    "POST /api/v1/tokens": lambda _: {"body": {"scopes": ["self"]}},
    "POST /api/v1/children": lambda _: {"body": {"reference": "NEW-1"}},
    "POST /api/v1/volunteers": lambda _: {"body": {"reference": "NEW-1"}},
    "POST /api/v1/families": Asks.a_family,
    "POST /api/v1/children/{child_id}/unlink": Asks.siblings,
    "PATCH /api/v1/organisations/{organisation_id}": lambda _: {"body": {"name": "Bluebell Houses"}},
    "POST /api/v1/exceptions": lambda asks: {"body": {"volunteer": asks.ids["volunteer_id"]}},
    "POST /api/v1/proposals": Asks.what_was_shown,
    "POST /api/v1/matches/{match_id}/steps": Asks.a_proposal,
    "POST /api/v1/matches/{match_id}/take-back": lambda asks: {"match_id": asks.a_proposal()["match_id"]},
    "POST /api/v1/matches/{match_id}/asked": Asks.a_match_of_before,
    "POST /api/v1/matches/{match_id}/notes": lambda _: {"body": {"on": today().isoformat()}},
    "POST /api/v1/imports": Asks.the_stamp,
    "POST /api/v1/children/{child_id}/erasure": Asks.a_child_entered_by_mistake,
    "POST /api/v1/volunteers/{volunteer_id}/erasure": Asks.a_volunteer_entered_by_mistake,
    "POST /api/v1/runs/{run_id}/cancel": Asks.a_run_that_waits,
    "GET /api/v1/runs/{run_id}/plan": Asks.a_plan,
    "GET /api/v1/runs/{run_id}/changes": Asks.a_plan,
    "POST /api/v1/runs/{run_id}/publish": Asks.a_plan,
}
"""What is named in the path or the body, where the example alone names nothing that is there."""

"""For each route of the API that changes something, a request that does; `test_writings.py` looks for it in the log.

An act brings about by itself what its request needs, and sends that request last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from conftest import Service
from fastapi.testclient import TestClient
from httpx2 import Response
from page_reading import HTML, fields_of
from service_rows import families_seen, files_of, of, put_in_order, send
from sqlalchemy import select
from test_run_pages import run_once

from matcher.instance import today
from matcher.readers import Reading
from matcher.records import ExceptionKind, Party, Status
from matcher.shortlist import shortlist
from service import audit_log, auth, exceptions, organisations, runs, standing
from service.database import tables
from service.database.base import Base
from service.permissions import Role
from service.proposals import Chosen, failing_rules, propose, take_step
from service.reasons import TOLD_NOTHING
from service.repository import Repository
from service.workflow import State

API = "/api/v1"
COUNCIL = "E06000062"
PASSWORD = "three plain words of a test"
POLICY = 'name = "ours"\ntitle = "Ours"\nversion = "8"\ninherits = "national"'


@dataclass
class Desk:
    """North, and who asks it: `by` who sends a request, `last` and `stood` the logs and the tables as they send it."""

    service: Service
    county: Reading
    browsers: dict[Role, TestClient] = field(default_factory=dict)
    numbers: Any = field(default_factory=count)
    last: dict[str, int] = field(default_factory=dict)
    stood: Mapping[str, str] = field(default_factory=dict)
    by: str = ""

    def browser(self, role: Role) -> TestClient:
        return self.browsers.setdefault(role, self.service.as_(role))

    def user(self, role: Role) -> str:
        return self.service.users["north", role]

    def rows(self) -> Any:
        return self.service.database.write(self.service.north)

    # ---- the request itself ------------------------------------------------------------------------------------------

    def ask(self, by: Role | str, browser: TestClient, method: str, path: str, **sent: Any) -> Response:
        self.by, self.last = self.user(by) if isinstance(by, Role) else by, dict(self.logs())
        self.stood = self.stands()
        return browser.request(method, path, follow_redirects=False, **sent)

    def logs(self) -> Mapping[str, int]:
        """The number of the last entry of each log that concerns North."""
        return {one.chain: one.number for one in self.entries({})}

    def entries(self, since: Mapping[str, int]) -> list[tables.AuditEvent]:
        event, found = tables.AuditEvent, []
        for chain in (self.service.north, audit_log.INSTALLATION):
            with self.service.database.read(self.service.north) as session:
                new = select(event).where(event.chain == chain, event.number > since.get(chain, 0))
                found += session.scalars(new.order_by(event.number)).all()
        return found

    def stands(self) -> Mapping[str, str]:
        """What the database has, by table, without the logs."""
        with self.service.database.read(self.service.north) as session:
            kinds = [mapper.class_ for mapper in Base.registry.mappers if mapper.class_ is not tables.AuditEvent]
            return {kind.__name__: str(session.execute(select(kind.__table__)).all()) for kind in kinds}

    def api(self, role: Role, method: str, path: str, *, of: str = "", **body: Any) -> Response:
        """To the API; of what is there already its version goes along, which `of` tells where the path does not."""
        browser = self.browser(role)
        headers = {"If-Match": browser.get(f"{API}{of}").headers["ETag"]} if of else {}
        return self.ask(role, browser, method, f"{API}{path}", json=body, headers=headers)

    def form(self, by: Role, path: str, *, at: str = "", **typed: Any) -> Response:
        """A page's form, sent with what stands in it and what is typed besides."""
        browser = self.browser(by)
        stands = fields_of(browser.get(at or path, headers=HTML).text.partition("<main")[2])
        return self.plain(by, path, **stands | typed)

    def plain(self, by: Role, path: str, **typed: Any) -> Response:
        browser = self.browser(by)
        sent = typed | {"csrf": browser.headers["X-CSRF-Token"]}
        return self.ask(by, browser, "POST", path, data=sent, headers=HTML)

    # ---- what it needs -----------------------------------------------------------------------------------------------

    def pair(self) -> tuple[str, str]:
        """A child who waits and a volunteer whom nothing forbids. What was proposed here before is withdrawn for it."""
        with self.rows() as session:
            proposed = select(tables.Match.id).where(
                tables.Match.state.in_((State.PROPOSED, State.VOLUNTEER_CONSIDERS))
            )
            for match in session.scalars(proposed).all():
                take_step(Repository(session, self.service.keys), match, "withdraw", by=Party.AUTHORITY,
                          user_id=self.user(Role.COORDINATOR), reason="entered by mistake")  # fmt: skip
        with self.service.database.read(self.service.north) as session:
            instance = Repository(session, self.service.keys).instance(today())
            both = tables.Match.child_id, tables.Match.volunteer_id
            taken = {id for row in session.execute(select(*both).where(tables.Match.place.is_not(None))) for id in row}
        lists = (shortlist(instance, one.id, rank_by="fit") for one in instance.waiting if one.id not in taken)
        pairs = ((one.child, one.volunteer) for found in lists for one in found if one.volunteer not in taken)
        return next(pair for pair in pairs if not failing_rules(instance, *pair))

    def proposal(self, *steps: tuple[str, Party]) -> str:
        child, volunteer = self.pair()
        with self.rows() as session:
            rows, user = Repository(session, self.service.keys), self.user(Role.COORDINATOR)
            chosen = Chosen("fit", 1, (volunteer,))
            match = propose(rows, child, volunteer, user_id=user, reason="other", chosen=chosen).id
            for step, by in steps:
                take_step(rows, match, step, by=by, user_id=user)
        return match

    def asked(self) -> str:
        """A proposal of which there is a step to take back."""
        return self.proposal(("ask_volunteer", Party.AUTHORITY))

    def approved(self) -> str:
        """A volunteer with nothing in the way of their standing."""
        volunteer = self.pair()[1]
        with self.rows() as session:
            put_in_order(Repository(session, self.service.keys), volunteer)
        return volunteer

    def exception(self) -> str:
        with self.rows() as session:
            rows, user = Repository(session, self.service.keys), self.user(Role.MANAGER)
            kind = ExceptionKind.SECOND_CHILD
            return exceptions.approve(rows, kind, self.pair()[1], None, 2, user_id=user, reason="for a test").id

    def organisation(self) -> str:
        with self.rows() as session:
            rows = Repository(session, self.service.keys)
            return organisations.add(rows, f"Homes {next(self.numbers)}", user_id=self.user(Role.MANAGER)).id

    def siblings(self) -> tuple[str, str]:
        """Two children of one family."""
        one, other = self.service.children()[-2:]
        self.link(Role.MANAGER, one, other)
        return one, other

    def link(self, by: Role, *children: str) -> Response:
        browser = self.browser(by)
        seen = families_seen(browser, *children)
        return self.ask(by, browser, "POST", f"{API}/families", json={"children": children}, headers=seen)

    def brought_up(self) -> str:
        """A past match of a volunteer of whom a concern was recorded since: the child is to be asked."""
        match, user = self.service.a_match(), self.user(Role.COORDINATOR)
        with self.rows() as session:
            rows = Repository(session, self.service.keys)
            take_step(rows, match, "end", by=Party.CHILD, user_id=user, reason="child does not want this visitor")
            volunteer = rows.volunteer(rows.match(match).volunteer_id)
            standing.set_status(rows, volunteer, Status.SUSPENDED, user_id=user, reason=standing.CONCERN)
        return match

    def waiting_run(self) -> str:
        with self.rows() as session:
            return runs.ask_for(session, self.service.north, "manual").id

    def found_run(self) -> str:
        return run_once(self.service.database, self.service.keys, self.service.north)[0]

    def upload(self) -> str:
        """Files that were sent to be looked at, as they are; their address."""
        return send(self.browser(Role.MANAGER), of(self.county, "children"))

    def foreign(self) -> str:
        """The address of files whose columns nobody has said yet."""
        return send(self.browser(Role.MANAGER), ("ours.csv", b"number,agrees to it\nC0001,yes\n"))

    def account(self, password: str = "") -> tuple[str, str, str]:
        """A new account: its id, its address, and the secret of its invitation."""
        email = f"new{next(self.numbers)}@north.invalid"
        with self.rows() as session:
            north = session.get_one(tables.Authority, self.service.north)
            user, secret = auth.invite(session, self.service.keys, authority=north, email=email, name="New",
                                       role=Role.ANALYST, by="kith")  # fmt: skip
            if password:
                auth.set_password(user, password)
            return user.id, email, secret

    def reference(self) -> str:
        return f"NEW-{next(self.numbers)}"


Act = Callable[[Desk], Response]
C, M, A = Role.COORDINATOR, Role.MANAGER, Role.ADMINISTRATOR


# ---- the API ---------------------------------------------------------------------------------------------------------


def _propose(desk: Desk) -> Response:
    child, volunteer = desk.pair()
    served = desk.browser(C).get(f"{API}/children/{child}/shortlist?top=50").json()["served"]
    return desk.api(C, "POST", "/proposals", served=served, volunteer=volunteer, reason="other")


def _step(desk: Desk) -> Response:
    at = f"/matches/{desk.proposal()}"
    return desk.api(C, "POST", f"{at}/steps", of=at, step="ask_volunteer", by="authority")


def _take_back(desk: Desk) -> Response:
    at = f"/matches/{desk.asked()}"
    return desk.api(C, "POST", f"{at}/take-back", of=at, reason="it was another child")


def _on(line: str, role: Role, whom: Callable[[Desk], str], /, tag: str = "", **body: Any) -> Act:
    """A change of one record: `{}` in the line is its id, and `tag` where its version is read."""
    method, path = line.split()

    def act(desk: Desk) -> Response:
        id = whom(desk)
        return desk.api(role, method, path.format(id), of=tag.format(id), **body)

    return act


def child_of(desk: Desk) -> str:
    return desk.pair()[0]


def volunteer_of(desk: Desk) -> str:
    return desk.pair()[1]


def _unlink(desk: Desk) -> Response:
    one, other = desk.siblings()
    return desk.api(
        M, "POST", f"/children/{one}/unlink", of=f"/children/{one}", reason="entered by mistake", siblings=[other]
    )


def _check_files(desk: Desk) -> Response:
    return desk.ask(M, desk.browser(M), "POST", f"{API}/imports/check", files=files_of(desk.county))


def _take_files(desk: Desk) -> Response:
    told = _check_files(desk).json()
    files, data = files_of(desk.county), {"stamp": told["stamp"], "weaken": [one["key"] for one in told["weaker"]]}
    return desk.ask(M, desk.browser(M), "POST", f"{API}/imports", files=files, data=data)


def _log_in(desk: Desk) -> Response:
    user, email, _ = desk.account(PASSWORD)
    browser = TestClient(desk.service.client.app)
    return desk.ask(user, browser, "POST", f"{API}/session", json={"email": email, "password": PASSWORD})


def _revoke(desk: Desk) -> Response:
    made = desk.api(C, "POST", "/tokens", name="report", scopes=["read"])
    token = desk.browser(C).get(f"{API}/tokens").json()
    found = re.search(r'"id":\s*"([0-9a-f]{64})"', desk.browser(C).get(f"{API}/tokens").text)
    assert found, (made.text, token)
    return desk.api(C, "DELETE", f"/tokens/{found[1]}")


SENT_BY_PROGRAMS: Mapping[str, Act] = {
    "POST /api/v1/session": _log_in,
    "DELETE /api/v1/session": lambda desk: desk.ask(C, desk.service.as_(C), "DELETE", f"{API}/session"),
    "POST /api/v1/tokens": lambda desk: desk.api(C, "POST", "/tokens", name="report", scopes=["self"]),
    "DELETE /api/v1/tokens/{token_id}": _revoke,
    "POST /api/v1/children": lambda desk: desk.api(C, "POST", "/children", reference=desk.reference()),
    "PATCH /api/v1/children/{child_id}": _on(
        "PATCH /children/{}", C, child_of, "/children/{}", facts={"interests": "chess"}
    ),
    "PUT /api/v1/children/{child_id}/person": _on("PUT /children/{}/person", C, child_of, "/children/{}", name="A"),
    "POST /api/v1/volunteers": lambda desk: desk.api(C, "POST", "/volunteers", reference=desk.reference()),
    "PATCH /api/v1/volunteers/{volunteer_id}": _on(
        "PATCH /volunteers/{}", C, volunteer_of, "/volunteers/{}", facts={"interests": "chess"}
    ),
    "POST /api/v1/volunteers/{volunteer_id}/status": _on(
        "POST /volunteers/{}/status", C, Desk.approved, "/volunteers/{}", status="suspended", reason="complaint"
    ),
    "PUT /api/v1/volunteers/{volunteer_id}/person": _on(
        "PUT /volunteers/{}/person", C, volunteer_of, "/volunteers/{}", name="A"
    ),
    "POST /api/v1/families": lambda desk: desk.link(C, *desk.service.children()[:2]),
    "POST /api/v1/children/{child_id}/unlink": _unlink,
    "POST /api/v1/organisations": lambda desk: desk.api(C, "POST", "/organisations", name=desk.reference()),
    "PATCH /api/v1/organisations/{organisation_id}": _on(
        "PATCH /organisations/{}", C, Desk.organisation, "/organisations/{}", name="Bluebell Houses"
    ),
    "POST /api/v1/exceptions": lambda desk: desk.api(
        M, "POST", "/exceptions", kind="second child", volunteer=desk.pair()[1], value=2, reason="for a test"
    ),
    "POST /api/v1/exceptions/{exception_id}/withdraw": _on(
        "POST /exceptions/{}/withdraw", M, Desk.exception, "/exceptions/{}", reason="for a test"
    ),
    "PUT /api/v1/budgets/{code}": _on(
        "PUT /budgets/{}", M, lambda _: COUNCIL, "/budgets/{}", budget_pence=90_000_000, spent_pence=0
    ),
    "POST /api/v1/proposals": _propose,
    "POST /api/v1/matches/{match_id}/steps": _step,
    "POST /api/v1/matches/{match_id}/take-back": _take_back,
    "POST /api/v1/policies/check": lambda desk: desk.api(M, "POST", "/policies/check", toml=POLICY),
    "POST /api/v1/policies": lambda desk: desk.api(
        M, "POST", "/policies", of="/policies/current", toml=POLICY, reason="for a test"
    ),
    "POST /api/v1/imports/check": _check_files,
    "POST /api/v1/imports": _take_files,
    "POST /api/v1/runs": lambda desk: desk.api(C, "POST", "/runs", reason="manual"),
    "POST /api/v1/runs/{run_id}/cancel": _on("POST /runs/{}/cancel", C, Desk.waiting_run),
    "POST /api/v1/runs/{run_id}/publish": _on("POST /runs/{}/publish", C, Desk.found_run, reason="for a test"),
    "POST /api/v1/children/{child_id}/erasure": _on(
        "POST /children/{}/erasure", M, child_of, reason="entered by mistake"
    ),
    "POST /api/v1/volunteers/{volunteer_id}/erasure": _on(
        "POST /volunteers/{}/erasure", M, volunteer_of, reason="entered by mistake"
    ),
    "POST /api/v1/matches/{match_id}/notes": lambda desk: desk.api(
        C, "POST", f"/matches/{desk.proposal()}/notes", by="child", on=today().isoformat(), note="Not yet."
    ),
    # Last: the county's files say otherwise of whom it is about.
    "POST /api/v1/matches/{match_id}/asked": _on(
        "POST /matches/{}/asked", C, Desk.brought_up, "/matches/{}", outcome=TOLD_NOTHING,
        asked_by="authority", on=today().isoformat()
    ),
}  # fmt: skip

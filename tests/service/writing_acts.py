"""For each route that changes something, a request that does: what `test_writings.py` holds the audit log against.

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
from service_rows import files_of, in_order, of, put_in_order, send
from sqlalchemy import select
from test_policy_pages import form as policy_form
from test_run_pages import run_once

from matcher.instance import today
from matcher.readers import Reading
from matcher.records import ExceptionKind, Party
from matcher.shortlist import shortlist
from service import audit_log, auth, exceptions, organisations, runs
from service.database import tables
from service.database.base import Base
from service.permissions import Role
from service.proposals import Chosen, failing_rules, propose, take_step
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
        self.api(Role.MANAGER, "POST", "/families", children=[one, other])
        return one, other

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


def _child(desk: Desk) -> str:
    return desk.pair()[0]


def _volunteer(desk: Desk) -> str:
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
        "PATCH /children/{}", C, _child, "/children/{}", facts={"interests": "chess"}
    ),
    "PUT /api/v1/children/{child_id}/person": _on("PUT /children/{}/person", C, _child, "/children/{}", name="A"),
    "POST /api/v1/volunteers": lambda desk: desk.api(C, "POST", "/volunteers", reference=desk.reference()),
    "PATCH /api/v1/volunteers/{volunteer_id}": _on(
        "PATCH /volunteers/{}", C, _volunteer, "/volunteers/{}", facts={"interests": "chess"}
    ),
    "POST /api/v1/volunteers/{volunteer_id}/status": _on(
        "POST /volunteers/{}/status", C, Desk.approved, "/volunteers/{}", status="suspended", reason="complaint"
    ),
    "PUT /api/v1/volunteers/{volunteer_id}/person": _on(
        "PUT /volunteers/{}/person", C, _volunteer, "/volunteers/{}", name="A"
    ),
    "POST /api/v1/families": lambda desk: desk.api(C, "POST", "/families", children=desk.service.children()[:2]),
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
        "POST /children/{}/erasure", M, _child, reason="entered by mistake"
    ),
    "POST /api/v1/volunteers/{volunteer_id}/erasure": _on(
        "POST /volunteers/{}/erasure", M, _volunteer, reason="entered by mistake"
    ),
}  # fmt: skip


# ---- the pages -------------------------------------------------------------------------------------------------------


def _page(path: str, role: Role, whom: Callable[[Desk], str], /, at: str = "", **typed: Any) -> Act:
    """A form of one record's page: `{}` is its id, `at` the page where the form stands if it is another."""

    def act(desk: Desk) -> Response:
        id = whom(desk)
        return desk.form(role, path.format(id), at=at.format(id), **typed)

    return act


def _sign_in(desk: Desk) -> Response:
    user, email, _ = desk.account(PASSWORD)
    browser = TestClient(desk.service.client.app)
    return desk.ask(user, browser, "POST", "/sign-in", data={"email": email, "password": PASSWORD})


def _welcome(desk: Desk) -> Response:
    user, _, secret = desk.account()
    browser = TestClient(desk.service.client.app)
    return desk.ask(user, browser, "POST", f"/welcome/{secret}", data={"password": PASSWORD})


def _sign_out(desk: Desk) -> Response:
    browser = desk.service.as_(C)
    return desk.ask(C, browser, "POST", "/sign-out", data={"csrf": browser.headers["X-CSRF-Token"]})


def _propose_by_form(desk: Desk) -> Response:
    at = "/children/{}/propose/{}".format(*desk.pair())
    return desk.form(C, at, at=f"{at}?rank=fit", reason="other", note="For a test")


def _unlink_by_form(desk: Desk) -> Response:
    return desk.form(M, f"/children/{desk.siblings()[0]}/unlink", reason="entered by mistake")


def _sibling_by_form(desk: Desk) -> Response:
    one, other = desk.service.children()[2:4]
    with desk.rows() as session:
        known = Repository(session, desk.service.keys).references()[other]
    return desk.form(C, f"/children/{one}/siblings", siblings=known)


def _send_files(desk: Desk) -> Response:
    browser = desk.browser(M)
    sent = {"csrf": browser.headers["X-CSRF-Token"]}
    files = [("files", of(desk.county, "children"))]
    return desk.ask(M, browser, "POST", "/imports", files=files, data=sent, headers=HTML)


def _confirm_files(desk: Desk) -> Response:
    at = desk.upload()
    return desk.form(M, f"{at}/confirm", reason="regular update")


def _say_columns(desk: Desk) -> Response:
    at = f"{desk.foreign()}/columns?file=0"
    browser = desk.browser(M)
    right = dict.fromkeys(re.findall(r'name="(right-\d+)"', browser.get(at, headers=HTML).text), "1")
    return desk.plain(M, at, sheet="children", shown="children", **right)


def _leave_out(desk: Desk) -> Response:
    return desk.plain(M, f"{desk.foreign()}/columns?file=0", sheet="nothing", shown="children")


def _share(desk: Desk) -> Response:
    at = f"/proposals/{desk.proposal()}/share"
    page = re.sub(r"<input[^>]*checkbox[^>]*>", "", desk.browser(C).get(at, headers=HTML).text)
    return desk.plain(C, at, shown=fields_of(page)["shown"], child=["interests"])


def _role(desk: Desk) -> Response:
    return desk.form(A, f"/users/{desk.account()[0]}/role", role="auditor", reason="other duties")


def _year(desk: Desk) -> Response:
    return desk.form(M, "/reports/year/words", children="They like it.")


SENT_BY_PAGES: Mapping[str, Act] = {
    "POST /sign-in": _sign_in,
    "POST /sign-out": _sign_out,
    "POST /welcome/{secret}": _welcome,
    "POST /children/find": lambda desk: desk.plain(C, "/children/find", reference="C0001"),
    "POST /children/new": lambda desk: desk.form(C, "/children/new", reference=desk.reference()),
    "POST /children/{child_id}/change/{part}": _page("/children/{}/change/about", C, _child, interests="chess"),
    "POST /children/{child_id}/siblings": _sibling_by_form,
    "POST /children/{child_id}/unlink": _unlink_by_form,
    "POST /children/{child_id}/propose/{volunteer_id}": _propose_by_form,
    "POST /proposals/{match_id}/steps/{step_id}": _page(
        "/proposals/{}/steps/ask_volunteer", C, Desk.proposal, at="/proposals/{}"
    ),
    "POST /proposals/{match_id}/take-back": _page(
        "/proposals/{}/take-back", C, Desk.asked, reason="it was another child"
    ),
    "POST /proposals/{match_id}/share": _share,
    "POST /volunteers/find": lambda desk: desk.plain(C, "/volunteers/find", reference="V0001"),
    "POST /volunteers/new": lambda desk: desk.form(C, "/volunteers/new", reference=desk.reference()),
    "POST /volunteers/{volunteer_id}/change/{part}": _page(
        "/volunteers/{}/change/checks", C, Desk.approved, **in_order() | {"references_accepted": "3"}
    ),
    "POST /volunteers/{volunteer_id}/status": _page(
        "/volunteers/{}/status", C, Desk.approved, **{"status": "suspended", "reason-suspended": "complaint"}
    ),
    "POST /volunteers/{volunteer_id}/exceptions/new": _page(
        "/volunteers/{}/exceptions/new", M, _volunteer, kind="second child", value="2", reason="For a test"
    ),
    "POST /exceptions/{exception_id}/withdraw": _page(
        "/exceptions/{}/withdraw", M, Desk.exception, reason="For a test"
    ),
    "POST /whom-to-ring": lambda desk: desk.form(M, "/whom-to-ring", telephone="01632 960000"),
    "POST /organisations/{organisation_id}": _page("/organisations/{}", C, Desk.organisation, name="Bluebell Care"),
    "POST /runs": lambda desk: desk.form(C, "/runs", reason="manual"),
    "POST /runs/{run_id}/cancel": _page("/runs/{}/cancel", C, Desk.waiting_run, at="/runs/{}"),
    "POST /runs/{run_id}/publish": _page("/runs/{}/publish", C, Desk.found_run, at="/runs/{}", reason="For a test"),
    "POST /policy/draft": lambda desk: desk.plain(M, "/policy/draft", **policy_form(rules__travel__miles="8")),
    "POST /policy": lambda desk: desk.plain(
        M, "/policy", **policy_form(rules__travel__miles="8") | {"reason": "For a test"}
    ),
    "POST /imports": _send_files,
    "POST /imports/files/{upload_id}/columns": _say_columns,
    "POST /imports/files/{upload_id}/confirm": _confirm_files,
    "POST /imports/files/{upload_id}/discard": lambda desk: desk.plain(M, f"{desk.upload()}/discard"),
    "POST /reports/budgets/{code}": lambda desk: desk.form(
        M, f"/reports/budgets/{COUNCIL}", budget="900,000", spent="0", reason="spending brought up to date"
    ),
    "POST /reports/year/words": _year,
    "POST /users": lambda desk: desk.form(
        A, "/users", email=f"{desk.reference()}@north.invalid", name="New", role="analyst"
    ),
    "POST /users/{user_id}/close": lambda desk: desk.form(A, f"/users/{desk.account()[0]}/close"),
    "POST /users/{user_id}/role": _role,
    "POST /log/find": lambda desk: desk.plain(A, "/log/find", reference="C0001"),
}  # fmt: skip
BESIDES: Mapping[str, Act] = {"POST /imports/files/{upload_id}/columns": _leave_out}
"""What a line can do besides."""

"""As `writing_acts.py`, for the pages: for each form that changes something, a request that does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from fastapi.testclient import TestClient
from httpx2 import Response
from page_reading import HTML, fields_of
from service_rows import in_order, of
from test_policy_pages import form as policy_form
from writing_acts import COUNCIL, PASSWORD, A, Act, C, Desk, M, child_of, volunteer_of

from matcher.instance import today
from service.permissions import Role
from service.reasons import TOLD_NOTHING
from service.repository import Repository


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


def _asked(desk: Desk) -> Response:
    match = desk.brought_up()
    version = fields_of(desk.browser(C).get(f"/proposals/{match}/asked", headers=HTML).text)["version"]
    typed = {"version": version, "outcome": TOLD_NOTHING, "asked_by": "authority", "day": f"{today():%d/%m/%Y}"}
    return desk.plain(C, f"/proposals/{match}/asked", **typed)


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
    "POST /children/{child_id}/change/{part}": _page("/children/{}/change/about", C, child_of, interests="chess"),
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
    "POST /proposals/{match_id}/asked": _asked,
    "POST /proposals/{match_id}/notes": lambda desk: desk.plain(
        C, f"/proposals/{desk.proposal()}/notes", said_by="child", day=f"{today():%d/%m/%Y}", note="Not yet."
    ),
    "POST /volunteers/find": lambda desk: desk.plain(C, "/volunteers/find", reference="V0001"),
    "POST /volunteers/new": lambda desk: desk.form(C, "/volunteers/new", reference=desk.reference()),
    "POST /volunteers/{volunteer_id}/change/{part}": _page(
        "/volunteers/{}/change/checks", C, Desk.approved, **in_order() | {"references_accepted": "3"}
    ),
    "POST /volunteers/{volunteer_id}/status": _page(
        "/volunteers/{}/status", C, Desk.approved, **{"status": "suspended", "reason-suspended": "complaint"}
    ),
    "POST /volunteers/{volunteer_id}/exceptions/new": _page(
        "/volunteers/{}/exceptions/new", M, volunteer_of, kind="second child", value="2", reason="For a test"
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

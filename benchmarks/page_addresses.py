"""The address of every page, of people who have something to show: of shortlists the longest that there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select

from benchmarks.measured import Service
from matcher.planning.search import consider
from service import plans
from service.database.tables import Match, Organisation, RecordedException, User
from service.permissions import ROUTES, Role
from service.repository import Repository


@dataclass(frozen=True)
class Page:
    """One page, and who asks for it."""

    name: str
    address: str
    role: Role = Role.COORDINATOR


def pages(service: Service) -> Iterator[Page]:
    manager = Role.MANAGER
    child, volunteer, other = _most_to_show(service)
    with service.kith.database.read(service.authority) as session:
        matches = {match.state: match.id for match in session.scalars(select(Match).order_by(Match.id))}
        organisation = session.scalar(select(Organisation.id).order_by(Organisation.id))
        exception = session.scalar(select(RecordedException.id).where(RecordedException.withdrawn_on.is_(None)))
        account = session.scalar(select(User.id).where(User.role == Role.ANALYST))
        run = plans.last(session)
    yield Page("today", "/")
    yield Page("today, of an analyst", "/", Role.ANALYST)
    yield Page("children", "/children")
    yield Page("children, everybody by priority, page 3", "/children?show=everybody&sort=priority&page=3")
    yield Page("a new child", "/children/new")
    yield Page("a child", f"/children/{child}")
    yield Page("a form of a child's facts", f"/children/{child}/change/wishes")
    yield Page("a child's brothers and sisters", f"/children/{child}/siblings")
    yield Page("taking a child out of a family", f"/children/{child}/unlink", manager)
    yield Page("who read about a child", f"/children/{child}/readers")
    yield Page("shortlist by plan", f"/children/{child}/shortlist")
    yield Page("shortlist by fit", f"/children/{child}/shortlist?rank=fit")
    yield Page("shortlist, all who could visit", f"/children/{child}/shortlist?rank=fit&everybody=yes")
    yield Page("shortlist as XLSX", f"/children/{child}/shortlist.xlsx?rank=fit")
    yield Page("comparison", f"/children/{child}/compare?rank=fit&with={volunteer}&with={other}")
    yield Page("proposing", f"/children/{child}/propose/{volunteer}?rank=fit")
    yield Page("volunteers", "/volunteers")
    yield Page("volunteers, by the check that lapses first", "/volunteers?show=checks&sort=lapse")
    yield Page("a new volunteer", "/volunteers/new")
    yield Page("a volunteer", f"/volunteers/{volunteer}")
    yield Page("a form of a volunteer's facts", f"/volunteers/{volunteer}/change/checks")
    yield Page("whom a volunteer could visit", f"/volunteers/{volunteer}/shortlist")
    yield Page("whom a volunteer could visit, all", f"/volunteers/{volunteer}/shortlist?everybody=yes")
    yield Page("a volunteer's status", f"/volunteers/{volunteer}/status")
    yield Page("allowing an exception", f"/volunteers/{volunteer}/exceptions/new", manager)
    if exception:
        yield Page("withdrawing an exception", f"/exceptions/{exception}/withdraw", manager)
    yield Page("organisations", "/organisations")
    if organisation:
        yield Page("an organisation", f"/organisations/{organisation}")
    yield Page("proposals", "/proposals")
    yield Page("matches", "/proposals?show=matches")
    yield Page("what is over", "/proposals?show=over")
    if active := matches.get("active"):
        yield Page("a match", f"/proposals/{active}")
        yield Page("a step of a match", f"/proposals/{active}/steps/end")
        yield Page("something to note of a match", f"/proposals/{active}/notes")
        yield Page("letter of appointment", f"/proposals/{active}/letters/appointment")
    if ended := matches.get("ended"):
        yield Page("a match that ended", f"/proposals/{ended}")
        yield Page("letter at the end", f"/proposals/{ended}/letters/ending")
    yield Page("runs", "/runs")
    if run:
        for show in ("new", "changed", "plan", "left", "shortlists"):
            yield Page(f"a run: {show}", f"/runs/{run.run_id}?show={show}")
    yield Page("policy", "/policy")
    yield Page("a draft of the policy", "/policy/draft", manager)
    yield Page("versions of the policy", "/policy/versions")
    yield Page("a version of the policy", "/policy/versions/1")
    yield Page("import", "/imports")
    yield Page("a workbook to fill in", "/imports/templates/children")
    yield Page("a workbook to fill in, of all sheets", "/imports/templates/all")
    yield Page("reports", "/reports")
    for report in ("waits", "matches", "endings", "spending", "equality", "year"):
        yield Page(f"report: {report}", f"/reports/{report}")
        yield Page(f"report: {report}, as XLSX", f"/reports/{report}/xlsx")
    yield Page("words in the report of a year", "/reports/year/words", manager)
    yield Page("a budget", "/reports/budgets/E06000061", manager)
    yield Page("a budget of another council", "/reports/budgets?code=E06000062", manager)
    yield Page("whom letters say to ring", "/whom-to-ring", manager)
    yield Page("users", "/users", Role.ADMINISTRATOR)
    yield Page("a user's role", f"/users/{account}/role", Role.ADMINISTRATOR)
    yield Page("closing an account", f"/users/{account}/close", Role.ADMINISTRATOR)
    yield Page("log", "/log", Role.AUDITOR)
    yield Page("log, of one child from the beginning", f"/log?subject={child}&days=0", Role.AUDITOR)
    yield Page("sign in", "/sign-in")
    yield Page("choosing a password", _invitation(service))


def exports(service: Service) -> Iterator[Page]:
    """What programs take away that grows with the authority."""
    child, volunteer, _ = _most_to_show(service)
    manager, api = Role.MANAGER, "/api/v1"
    yield Page("API: children", f"{api}/children?limit=200")
    yield Page("API: volunteers", f"{api}/volunteers?limit=200")
    yield Page("API: matches", f"{api}/matches?limit=200")
    yield Page("API: a shortlist by fit", f"{api}/children/{child}/shortlist?rank_by=fit")
    yield Page("API: who is excluded", f"{api}/children/{child}/excluded")
    yield Page("API: decisions to learn from", f"{api}/decisions", manager)
    yield Page("API: what is kept of a child", f"{api}/children/{child}/export", manager)
    yield Page("API: what is kept of a volunteer", f"{api}/volunteers/{volunteer}/export", manager)
    yield Page("API: retention", f"{api}/retention", manager)
    with service.kith.database.read(service.authority) as session:
        run = plans.last(session)
    if run:
        yield Page("API: a plan", f"{api}/runs/{run.run_id}/plan")
        yield Page("API: what a run changed", f"{api}/runs/{run.run_id}/changes")


def _most_to_show(service: Service) -> tuple[str, str, str]:
    """The child whom most volunteers could visit, the volunteer who could visit most children; and one of the first.

    The first two could meet: whoever can be asked for many is on most lists.
    """
    with service.kith.database.read(service.authority) as session:
        instance = service.kith.matching.of(Repository(session, service.kith.keys)).instance
    pairs = consider(instance).pairs
    of_child = np.bincount(pairs.child_row, minlength=len(instance.waiting))
    of_volunteer = np.bincount(pairs.volunteer_row, minlength=len(instance.volunteers))
    child = int(of_child.argmax())
    own = pairs.volunteer_row[pairs.child_row == child]
    volunteer, other = own[np.argsort(-of_volunteer[own], kind="stable")][:2].tolist()
    return instance.waiting[child].id, instance.volunteers[volunteer].id, instance.volunteers[other].id


def _invitation(service: Service) -> str:
    """The address of a link by which somebody chooses a password."""
    new = {"email": "new@measured.invalid", "name": "Somebody new", "role": "analyst"}
    page = service.browsers[Role.ADMINISTRATOR].send("/users", new).text
    found = re.search(r"/welcome/[\w-]+", page)
    assert found is not None
    return found[0]


def not_asked(addresses: list[str]) -> list[str]:
    """The routes of pages that none of the addresses leads to: what was forgotten here."""
    routes = [route.removeprefix("GET ") for route in ROUTES if route.startswith("GET ") and "/api/" not in route]
    paths = [address.partition("?")[0] for address in addresses]
    fixed = {route for route in routes if route in paths}
    asked = fixed | {
        route
        for route in routes
        if any(path not in fixed and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route), path) for path in paths)
    }
    return sorted({*routes} - asked - {"/health", "/ready", "/metrics", "/import"})

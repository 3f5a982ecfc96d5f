"""Templates: the environment, the words in which facts are told, the frame that every page has; workbooks to keep."""

from __future__ import annotations

import hashlib
import re
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, PrefixLoader

from matcher.catalogue import DOCUMENTS
from matcher.instance import LONDON, today
from matcher.words import council, counted, day, first_upper, hour, listed, miles, pounds, spoken
from service.auth import Person
from service.pages import forms
from service.permissions import ROUTES, Permission
from service.reasons import LADO, says
from service.reports.figures import months_since

_HERE = Path(__file__).parents[1]
STATIC = _HERE / "static"

NAVIGATION = (
    ("/", "Today", Permission.IDENTIFY),
    ("/children", "Children", Permission.IDENTIFY),
    ("/volunteers", "Volunteers", Permission.IDENTIFY),
    ("/proposals", "Proposals", Permission.IDENTIFY),
    ("/runs", "Runs", Permission.READ),
    ("/policy", "Policy", Permission.READ),
    ("/imports", "Import", Permission.WRITE),
    ("/reports", "Reports", Permission.READ),
    ("/whom-to-ring", "Whom to ring", Permission.APPROVE),
    ("/users", "Users", Permission.USERS),
    ("/log", "Log", Permission.LOG),
)
"""Address, name, and who is shown it. What is not built yet is not here."""
WITHIN = {"/organisations": "/children", "/exceptions": "/volunteers"}
"""Pages that the menu does not name, each with the one of it that leads there: that is marked as where one is."""


def in_london(at: datetime) -> datetime:
    """The moment by London's clocks; one at the edge of the calendar, which has no neighbours, as it is."""
    try:
        return at.astimezone(LONDON)
    except OverflowError:
        return at


def moment(at: datetime | None) -> str:
    """22 November 2026 at 9:05am, in London."""
    if at is None:
        return "not recorded"
    then = in_london(at)
    return f"{day(then.date())} at {hour(then)}"


def long_day(when: date | datetime | None) -> str:
    """22 November 2026, in London."""
    return day(in_london(when).date() if isinstance(when, datetime) else when)


def short_day(when: date | datetime | None) -> str:
    """22 Nov 2026."""
    if when is None:
        return "not recorded"
    then = in_london(when).date() if isinstance(when, datetime) else when
    return f"{then.day} {then:%b %Y}"


def clock(at: datetime | None) -> str:
    """22 Nov 2026, 9:05am, in London: for tables."""
    if at is None:
        return "not recorded"
    then = in_london(at)
    return f"{short_day(at)}, {hour(then)}"


def time_of_day(at: datetime) -> str:
    """9:05am, in London: under a heading that says the day."""
    return hour(in_london(at))


def waited(since: date | None) -> str:
    """How long ago a day was, in the unit that a person would use, completed: 12 days, 7 weeks, 14 months."""
    if since is None:
        return "not recorded"
    now = today()
    days = (now - since).days
    if days < 21:
        return "under a day" if days == 0 else counted(days, "day", "days")
    if days < 92:
        return f"{days // 7} weeks"
    return counted(months_since(since, now), "month", "months")


MOVING = "A move of placement is pending: every distance is from the place that the child is about to leave."


def journey(distance: str) -> str:
    """How far two live apart: nobody lives at no distance, but two may have one postcode district."""
    return "same postcode district" if distance == miles(0) else distance


@cache
def _environment() -> Environment:
    design_system = PrefixLoader({"govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja")})
    environment = Environment(
        loader=ChoiceLoader([FileSystemLoader(_HERE / "templates"), design_system]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "day": long_day, "moment": moment, "clock": clock, "time_of_day": time_of_day, "short_day": short_day,
        "waited": waited, "pounds": pounds,
        "council": council, "journey": journey, "listed": listed, "upper1": first_upper, "says": says, "spoken": spoken,
    }  # fmt: skip
    environment.globals |= {
        "MOVING": MOVING, "LADO": LADO,
        "counted": counted, "documents": DOCUMENTS, "govukRebrand": False, "static": static_address,
        "fill_in": forms.fill_in, "reads": forms.READS,
    }  # fmt: skip
    return environment


@cache
def static_address(name: str) -> str:
    """The address of a static file; it changes with its content, so that browsers keep no old one."""
    content = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:8]
    return f"/static/{name}?{content}"


def render(
    request: Request, template: str, person: Person | None, *, status: int = 200, **content: Any
) -> HTMLResponse:
    """A page in its frame. `content` is what the template reads."""
    path = request.url.path
    first = f"/{path.split('/')[1]}"
    here = WITHIN.get(first, first)
    items = [
        {"href": href, "text": name, "active": href == here}
        for href, name, needs in NAVIGATION
        if person is not None and needs in person.may and f"GET {href}" in ROUTES
    ]
    frame = {
        "navigation": items, "person": person, "nonce": request.state.nonce, "path": path, "today": today(),
        "demo": request.app.state.kith.settings.demo, "may": person.may if person else frozenset(),
    }  # fmt: skip
    text = _environment().get_template(template).render(**frame, **content)
    return HTMLResponse(text, status)


def as_workbook(content: bytes, *name: object) -> Response:
    """An XLSX to keep, called after what is in it, of whom by reference, and the day: two of one folder differ.

    What a file name cannot have everywhere, such as the slash of a reference, is a hyphen in it.
    """
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    called = re.sub(r"[^A-Za-z0-9]+", "-", " ".join(map(str, name))).strip("-")
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{called}.xlsx"'})

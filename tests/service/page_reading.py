"""What tests of pages read in them, and the proposal that several begin with."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from conftest import Service
from fastapi.testclient import TestClient
from httpx2 import Response

from service.permissions import Role
from service.proposals import Chosen, propose
from service.repository import Repository

HTML = {"Accept": "text/html"}


def fields_of(page: str) -> dict[str, Any]:
    """What a form on a page would send as it stands: hidden fields, inputs, selects and ticks."""
    unchosen = [one for one in re.findall(r"<input[^>]*>", page) if 'type="radio"' in one and " checked" not in one]
    inputs = [one for one in re.findall(r"<input[^>]*>", page) if one not in unchosen]
    boxes = "".join(one for one in inputs if 'type="checkbox"' in one)
    others = "".join(one for one in inputs if 'type="checkbox"' not in one)
    sent = dict(re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]*)"', others))
    sent |= dict.fromkeys(re.findall(r'<input[^>]* name="(\w+)" type="text"(?![^>]*value)', page), "")
    for name, options in re.findall(r'<select[^>]* name="(\w+)"[^>]*>(.*?)</select>', page, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        sent[name] = chosen[1] if chosen else ""
    ticked = {name: [sent[name]] for name in re.findall(r' name="(\w+)" type="checkbox"', boxes)}  # after a blank
    for name, value in re.findall(r' name="(\w+)" type="checkbox" value="([^"]*)" checked', boxes):
        ticked[name].append(unescape(value))
    return {name: unescape(value) for name, value in sent.items()} | ticked


def ticks(page: str, *names: str) -> dict[str, list[str]]:
    """What is ticked of each of these lists."""
    boxes = [one for one in re.findall(r"<input[^>]*>", page) if 'type="checkbox"' in one and " checked" in one]
    found = [(re.search(r' name="(\w+)"', one), re.search(r' value="([^"]*)"', one)) for one in boxes]
    return {name: [value[1] for of, value in found if of and value and of[1] == name] for name in names}


def sent(browser: TestClient, page: Response) -> int:
    """Bytes of a page with the style and script that it asks for: those are compressed, pages never."""
    total = len(page.content)
    names = {*re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text), "/static/govuk-frontend/govuk-frontend.min.js"}
    for name in names:
        with browser.stream("GET", name, headers={"Accept-Encoding": "gzip"}) as answer:
            total += sum(len(chunk) for chunk in answer.iter_raw())
    return total


def shared(browser: TestClient, match: str, **ticked: list[str]) -> Response:
    """What a proposal's form of what is shared answers, opened and sent with these ticks and no others."""
    address = f"/proposals/{match}/share"
    shown = fields_of(re.sub(r"<input[^>]*checkbox[^>]*>", "", browser.get(address).text))["shown"]
    return browser.post(address, data={"shown": shown, **ticked}, headers=HTML)


def proposal_of(service: Service) -> tuple[str, str, str]:
    child, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        chosen = Chosen("fit", 1, (volunteer,))
        user = service.users["north", Role.COORDINATOR]
        rows = Repository(session, service.keys)
        match = propose(rows, child, volunteer, user_id=user, reason="other", chosen=chosen)
        return child, volunteer, match.id

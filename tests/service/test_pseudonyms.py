"""What is shown to whom: an analyst reads every route that is open to them, and finds nobody and no fact about them."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import Any

import pytest
from conftest import Service
from httpx2 import Response
from sqlalchemy import select

from matcher.instance import today
from matcher.records import Child, ExceptionKind, Volunteer
from matcher.words import council, day
from service import plans, runs
from service.database import tables
from service.middleware import RateLimit
from service.pages.plan import TABS
from service.pages.reports import TABS as REPORTS
from service.permissions import MAY, ROUTES, Role
from service.pseudonyms import without_facts
from service.repository import Repository

NAME, COORDINATOR, PROVIDER, TRUST = "Zebedee Quince", "Plantagenet Desk", "planted homes", "planted trust"
TYPE, REASON, MANAGER, SAID, PROBLEM = "Planted cottage", "sister of J. Smith", "A. Plant", "she smells", "Planted knot"
WORDS = (NAME, COORDINATOR, PROVIDER, TRUST, TYPE, REASON, MANAGER, SAID, PROBLEM)
OWN_COUNCILS = ("/budgets", "/reports")
"""Where authorities are named that have a budget, which says of no child whose they are."""


@pytest.fixture
def planted(service: Service) -> dict[str, Any]:
    """North with a plant in every word about anybody; a run that compares two plans, and one that found none.

    Gives what may stand in a path, and what nobody may find: references, days, districts and councils.
    """
    secret: set[str] = set()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        for row in session.scalars(select(tables.Child)):
            rows.seal(row, "person", json.dumps({"name": NAME}))
            record = rows.child_record(row, family_known=False)
            planted = replace(record, coordinator=COORDINATOR, provider=(PROVIDER,), placement_type=TYPE)
            rows.write_child(row, planted)
            secret |= {row.reference, *_facts(record)}
        for other in session.scalars(select(tables.Volunteer)):
            rows.seal(other, "person", json.dumps({"name": NAME}))
            volunteer = rows.volunteer_record(other)
            rows.write_volunteer(other, replace(volunteer, organisations=(TRUST,)))
            secret |= {other.reference, *_facts(volunteer)}
            allowed = tables.RecordedException(
                kind=ExceptionKind.SECOND_CHILD, volunteer_id=other.id, value=2, approved_on=date(2026, 1, 13)
            )
            rows.seal(allowed, "reason", REASON)
            rows.seal(allowed, "approved_by", MANAGER)
            session.add(allowed)
        rows.set_capacities(rows.policy()[1])
    done = [_run(service)]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        child, volunteer_id = service.eligible_pair()
        no = tables.Declined(child_id=child, volunteer_id=volunteer_id)
        rows.seal(no, "reason", SAID)
        session.add(no)
        family = session.scalars(select(tables.Family.id).where(tables.Family.known)).first()
    done.append(_run(service))
    with service.database.write(service.north) as session:
        failed = tables.Run(state="failed", reasons=["manual"])
        rows.seal(failed, "problem", f"{child}: {PROBLEM}, until 3 May 2031.")
        session.add(failed)
        session.flush()
        exception = session.scalars(select(tables.RecordedException.id)).first()
        path = {"child_id": child, "volunteer_id": volunteer_id, "family_id": family, "exception_id": exception,
                "organisation_id": "O" + "2" * 11, "number": 1, "code": "E06000062"}  # fmt: skip
        return {**path, "runs": [*done, failed.id], "secret": {*secret, "13 January 2026", "2026-01-13", "3 May 2031"}}


def _run(service: Service) -> str:
    with service.database.write(service.north) as session:
        runs.ask_for(session, service.north, "manual")
    held = runs.take(service.database, service.north)
    assert held is not None
    plans.make(service.database, service.keys, held, lambda _: None)
    return held.run_id


def _facts(record: Child | Volunteer) -> Iterator[str]:
    """The days, the district and the councils of somebody, as an answer or a page would say them."""
    for fact in asdict(record).values():
        if isinstance(fact, date) and abs(fact - today()) > timedelta(days=1):  # of today, also around midnight
            yield from (fact.isoformat(), day(fact), f"{fact:%d/%m/%Y}")
    place = record.placement if isinstance(record, Child) else record.home
    if place:
        yield place.text.split()[0]
    codes = [record.responsible_authority, record.placement_council] if isinstance(record, Child) else [*record.areas]
    for code in filter(None, codes):
        yield from (code, council(code))


def readings(service: Service, role: Role, planted: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every route that is open to analysts, with all that it may be asked for, and what it says to a role."""
    browser, many = service.as_(role), service.children()[:12]
    for line, needs in ROUTES.items():
        method, path = line.split()
        if method != "GET" or needs not in MAY[Role.ANALYST] or path.endswith("openapi.json"):
            continue
        asked = [path]
        for name, values in (
            ("run_id", planted["runs"]), ("report", [name for name, _ in REPORTS]), ("child_id", many),
        ):  # fmt: skip
            if name in path:
                asked = [one.replace("{" + name + "}", value) for one in asked for value in values]
        if path == "/runs/{run_id}":
            asked = [f"{one}?show={show}" for one in asked for show in TABS]
        if path.endswith("/shortlist"):
            asked = [f"{one}?rank_by={by}&top=50" for one in asked for by in ("plan", "fit")] + asked
        for one in asked:
            answer = browser.get(one.format(**planted))
            assert answer.status_code < 500, one
            yield one, _said(answer)
    typed = {"csrf": browser.headers["X-CSRF-Token"], "base": "1"}
    yield "/policy/draft", browser.post("/policy/draft", data=typed).text


def _said(answer: Response) -> str:
    """What is said, also in a workbook or an archive."""
    if not answer.content.startswith(b"PK"):
        return answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return "\n".join(archive.read(name).decode("utf-8", "replace") for name in archive.namelist())


def found(path: str, said: str, secret: set[str]) -> set[str]:
    told = {one for one in WORDS if one.casefold() in said.casefold()}
    for one in secret:
        council_of_all = any(part in path for part in OWN_COUNCILS) and not re.search(r"\d{1,2}[ /]|\d-\d", one)
        if not council_of_all and one in said and re.search(rf"(?<!\w){re.escape(one)}(?!\w)", said):
            told.add(one)
    return told


def test_an_analyst_finds_nobody_and_no_fact_wherever_they_may_read(
    service: Service, planted: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RateLimit, "_allowed", lambda *_: True)
    told = {
        path: there
        for path, said in readings(service, Role.ANALYST, planted)
        if (there := found(path, said, planted["secret"]))
    }
    assert told == {}


def test_the_plants_of_the_test_above_are_there_to_be_found(
    service: Service, planted: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A coordinator reads them on the same routes, so that it cannot pass for having planted nothing."""
    monkeypatch.setattr(RateLimit, "_allowed", lambda *_: True)
    told: dict[str, set[str]] = {}
    for path, said in readings(service, Role.COORDINATOR, planted):
        told.setdefault(re.sub(r"[CVRFE][2-9B-Z]{11}", "…", path.partition("?")[0]), set()).update(
            found(path, said, planted["secret"])
        )
    everywhere = set().union(*told.values())
    assert {*WORDS} - {NAME, SAID} <= everywhere | {TRUST}
    # Why it was allowed is told of that child alone.
    for path in (
        "shortlist",
        "volunteers/{volunteer_id}/explanation",
    ):  # why it was allowed is told of that child alone
        assert MANAGER in told[f"/api/v1/children/…/{path}"], path
    assert {REASON, MANAGER} & told["/api/v1/runs/…/plan"]
    assert {PROBLEM, "3 May 2031"} <= told["/api/v1/runs/…"]


def test_an_analyst_is_told_the_verdicts_that_a_coordinator_is_told(service: Service) -> None:
    child, volunteer = service.eligible_pair()
    path = f"/api/v1/children/{child}/volunteers/{volunteer}/explanation"
    whole, blank = service.as_(Role.COORDINATOR).get(path).json(), service.as_(Role.ANALYST).get(path).json()
    assert any(one["sentence"] for one in whole["reasons"])
    for part in ("reasons", "scores", "priorities"):
        assert {one["sentence"] for one in blank[part]} <= {""}
        assert blank[part] == [{**one, "sentence": ""} for one in whole[part]]
        del blank[part], whole[part]
    assert blank == whole
    shown = service.as_(Role.ANALYST).get(f"/api/v1/children/{child}/shortlist").json()
    assert all("whole plan" in one["effect"]["sentence"] for one in shown["shortlist"])  # it counts, and tells no fact


def test_why_a_pair_is_not_possible_is_withheld_and_that_it_is_not_is_told() -> None:
    def effect(impossible: str, sentence: str) -> dict[str, Any]:
        return {"effect": {"impossible": impossible, "sentence": sentence, "loss": 3}}

    told = without_facts(effect("E06000062 has spent its budget.", "Not possible: E06000062 has spent its budget."))
    assert "E06000062" not in str(told)
    assert told["effect"]["impossible"]
    counts = effect("", "The whole plan loses nothing by it.")
    assert without_facts(counts) == counts
    assert without_facts({"nobody_because": None}) == {"nobody_because": None}


def test_no_cost_and_no_distance_are_withheld_like_any_other() -> None:
    """A cost of 0 would tell that a child lives in the county."""
    for told in (0, 0.0, 4500, None):
        assert without_facts({"cost_pence": told, "miles": told}) == {"cost_pence": None, "miles": None}

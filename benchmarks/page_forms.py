"""What people send: forms, each with the pages that lead to it and on from it, and files of every size.

A way yields one request after the other, each with its name; who measures sends the answer back.
"""

from __future__ import annotations

import csv
import re
import time
from collections.abc import Callable, Generator, Mapping
from io import StringIO

from httpx2 import Response

from benchmarks.measured import Browser, File, Service, form
from matcher.instance import today
from matcher.writing.xlsx import Book, Field
from service.permissions import Role

Way = Generator[tuple[str, Callable[[], Response]], Response, None]
Rows = list[dict[str, str]]


def often(service: Service) -> Mapping[str, Callable[[int], Way]]:
    """What is sent all day; each is done several times, and `n` counts."""
    return {
        "a run published": lambda _: publishing(service),  # before anything is changed that its plan rests on
        "search by reference": lambda n: searches(service, n),
        "a proposal": lambda n: a_proposal(service, n),
        "a fact changed": lambda n: a_fact(service, n),
        "plan effects": lambda n: plan_effects(service, n),
        "a draft of the policy": lambda n: a_draft(service, n),
        "a few rows changed": lambda n: files(service, "5 children changed", _children(_changed(service, n)[:5])),
        "a few rows that are new": lambda n: files(service, "5 new children", _children(_new(service, f"N{n}-")[:5])),
    }


def seldom(service: Service) -> Mapping[str, Way]:
    """What is done once in a while, and takes long."""
    every = _changed(service, 9)
    faulty = [{**row, "date_of_birth": "soon", "gender": "?"} for row in every]
    foreign = [{f"Their {heading}": cell for heading, cell in row.items()} for row in _changed(service, 11)]
    new = _new(service, "N-")
    return {
        "a volunteer suspended": suspending(service),
        "a child asked since a concern": asking(service),
        "a problem in each row": files(service, f"{len(every):,} rows with problems", _children(faulty)),
        "other headings": files(service, f"{len(every):,} children, other headings", _children(foreign)),
        "every child changed": files(service, f"{len(every):,} children changed", _children(every)),
        "every child changed, XLSX": files(
            service, f"{len(every):,} children changed, XLSX", _workbook(_changed(service, 10))
        ),
        "as many new children": files(service, f"{len(new):,} new children", _children(new)),
    }


# ---- all day ---------------------------------------------------------------------------------------------------------


def searches(service: Service, _n: int) -> Way:
    coordinator, auditor = service.browsers[Role.COORDINATOR], service.browsers[Role.AUDITOR]
    yield "a child found by reference", lambda: coordinator.send("/children/find", {"reference": "C0100"})
    yield "no such child", lambda: coordinator.send("/children/find", {"reference": "nobody"})
    yield "a volunteer found by reference", lambda: coordinator.send("/volunteers/find", {"reference": "V0010"})
    yield "a child found in the log", lambda: auditor.send("/log/find", {"reference": "C0100"})


def a_proposal(service: Service, n: int) -> Way:
    by = service.browsers[Role.COORDINATOR]
    child, volunteer = _somebody_for(by, n)
    page = yield "a form of a proposal", lambda: by.get(f"/children/{child}/propose/{volunteer}?rank=fit")
    fields = {**form(page.text, "planned_for"), "reason": "shared interests"}
    answer = yield "propose", lambda: by.send(f"/children/{child}/propose/{volunteer}", fields)
    at = answer.headers["location"]
    yield "a new proposal", lambda: by.get(at)
    page = yield "choosing what is shared", lambda: by.get(f"{at}/share")
    shared = {**form(page.text, "shown"), "child": "interests", "volunteer": "interests"}
    yield "what is shared, saved", lambda: by.send(f"{at}/share", shared)
    yield "the page for the child", lambda: by.get(f"{at}/for-child")
    yield "the page for the volunteer", lambda: by.get(f"{at}/for-volunteer")
    page = yield "a proposal", lambda: by.get(at)
    version = form(page.text, "version")
    yield "a step recorded", lambda: by.send(f"{at}/steps/ask_volunteer", version)
    yield "a form of a step", lambda: by.get(f"{at}/steps/withdraw")
    page = yield "a form to take a step back", lambda: by.get(f"{at}/take-back")
    mistake = {**form(page.text, "version"), "reason": "It was another volunteer."}
    yield "a step taken back", lambda: by.send(f"{at}/take-back", mistake)
    no = {"said_by": "authority", "reason": "another proposal is better", "version": "3"}
    yield "a no recorded", lambda: by.send(f"{at}/steps/withdraw", no)


def _somebody_for(by: Browser, n: int) -> tuple[str, str]:
    """A child who waits, and a volunteer who could visit."""
    listed = by.get("/children?show=waiting").text
    found = []
    for child in re.findall(r'href="/children/(C[2-9B-Z]{11})"', listed):
        page = by.get(f"/children/{child}/shortlist?rank=fit").text
        if there := re.search(rf"/children/{child}/propose/(V\w+)", page):
            found.append((child, there[1]))
        if len(found) > n:
            break
    return found[-1]


def a_fact(service: Service, n: int) -> Way:
    by = service.browsers[Role.COORDINATOR]
    child, _ = _somebody_for(by, 0)
    page = yield "a form of facts", lambda: by.get(f"/children/{child}/change/wishes")
    fields = {**form(page.text, "agrees"), "hoped_visits": ("weekly", "monthly")[n % 2]}
    yield "facts saved", lambda: by.send(f"/children/{child}/change/wishes", fields)
    yield "the child after that", lambda: by.get(f"/children/{child}?saved=yes")
    service.idle()
    yield "start of a run", lambda: by.send("/runs", {"reason": "manual"})


def plan_effects(service: Service, _n: int) -> Way:
    """A shortlist by the plan, asked for right after a change and again until the effects are there."""
    by = service.browsers[Role.COORDINATOR]
    child, _ = _somebody_for(by, 0)
    service.change()
    waits = "is being worked out"
    address = f"/children/{child}/shortlist"
    page = yield "shortlist by plan, right after a change", lambda: by.get(address)
    if waits in page.text:
        yield "children, while its effects are worked out", lambda: by.get("/children")
        service.change()
        yield "children right after another change, meanwhile", lambda: by.get("/children")
        yield "shortlist by plan, until its effects are there", lambda: _until(lambda: by.get(address), waits)


def a_draft(service: Service, n: int) -> Way:
    by = service.browsers[Role.MANAGER]
    page = yield "the form of a draft", lambda: by.get("/policy/draft")
    fields = {**form(page.text, "title"), "scores.interests.weight": str(41 + n)}
    waits = "Look again"
    preview = yield "preview of a draft: first answer", lambda: by.send("/policy/draft", fields)
    if waits in preview.text:
        yield "preview of a draft, until it is there", lambda: _until(lambda: by.send("/policy/draft", fields), waits)
    yield "preview of a draft that is there", lambda: by.send("/policy/draft", fields)


def _until(ask: Callable[[], Response], waits: str) -> Response:
    """As somebody does who looks again every second."""
    while waits in (answer := ask()).text:
        time.sleep(1)
    return answer


# ---- files -----------------------------------------------------------------------------------------------------------


def files(service: Service, what: str, file: File) -> Way:
    """Sent, looked at, its columns too, taken in: by a manager, who may confirm what a new child brings."""
    by = service.browsers[Role.MANAGER]
    answer = yield f"{what}: sent", lambda: by.send("/imports", {}, [file])
    at = answer.headers["location"]
    columns = f"{at}/columns?file=0"
    if by.get(at).is_redirect:  # to whoever says how its columns are read
        page = yield f"{what}: columns", lambda: by.get(columns)
        fields = form(page.text, "shown") | dict.fromkeys(re.findall(r'name="(right-\d+)"', page.text), "1")
        yield f"{what}: columns confirmed", lambda: by.send(columns, fields)
    else:
        service.change()
    page = yield f"{what}: looked at", lambda: by.get(at)
    yield f"{what}: looked at again", lambda: by.get(f"{at}?page=2")
    yield f"{what}: what to know of it", lambda: by.get(f"{at}?show=notes")
    yield f"{what}: columns", lambda: by.get(columns)
    if correct := re.search(r'href="(/imports/files/\w+/corrections/children)"', page.text):
        yield f"{what}: to correct, as XLSX", lambda: by.get(correct[1])
        yield f"{what}: thrown away", lambda: by.send(f"{at}/discard", {})
        return
    page = yield f"{what}: to confirm", lambda: by.get(f"{at}/confirm")
    fields = {**form(page.text, "stamp"), "reason": "regular update"}
    fields["weaken"] = re.findall(r'name="weaken" type="checkbox" value="(\w+)"', page.text)
    answer = yield f"{what}: taken in", lambda: by.send(f"{at}/confirm", fields)
    yield f"{what}: what was taken in", lambda: by.get(answer.headers["location"])
    yield f"{what}: children after that", lambda: by.get("/children")


def _given(service: Service) -> Rows:
    with (service.county / "children.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _changed(service: Service, n: int) -> Rows:
    """Every child with another coordinator, in which no safeguard weakens."""
    return [{**row, "coordinator": f"Coordinator {n}"} for row in _given(service)]


def _new(service: Service, prefix: str) -> Rows:
    """As many children again, under other references, and in other families."""
    return [
        {
            **row, "child_id": prefix + row["child_id"],
            "family": prefix + row["family"] if row["family"] not in ("", "none") else row["family"],
        }
        for row in _given(service)
    ]  # fmt: skip


def _children(rows: Rows) -> File:
    text = StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return "children.csv", text.getvalue().encode()


def _workbook(rows: Rows) -> File:
    book = Book(today())
    book.table("children", [Field(heading) for heading in rows[0]], [list(row.values()) for row in rows])
    return "children.xlsx", book.content()


# ---- once in a while -------------------------------------------------------------------------------------------------


def publishing(service: Service) -> Way:
    by = service.browsers[Role.MANAGER]
    listed = re.findall(r'href="(/runs/\w+)"', by.get("/runs").text)
    done = next((run for run in listed if f'action="{run}/publish"' in by.get(run).text), None)
    if done:
        yield "a plan published", lambda: by.send(f"{done}/publish", {"reason": "It was looked through"})


def asking(service: Service) -> Way:
    by = service.browsers[Role.COORDINATOR]
    over = re.findall(r'href="(/proposals/M[2-9B-Z]{11})"', by.get("/proposals?show=over").text)
    match, page = next((one, page) for one in over if "/letters/ending" in (page := by.get(one).text))
    volunteer = re.findall(r'href="(/volunteers/V[2-9B-Z]{11})"', page)[0]
    fields = {**form(by.get(f"{volunteer}/status").text, "version"), "status": "suspended"}
    concern = {**fields, "reason-suspended": "concern raised"}
    yield "a concern recorded", lambda: by.send(f"{volunteer}/status", concern)
    page = yield "a form of what a child told", lambda: by.get(f"{match}/asked")
    told = {"outcome": "told nothing of concern", "asked_by": "authority", "day": f"{today():%d/%m/%Y}"}
    yield "what a child told, recorded", lambda: by.send(f"{match}/asked", {**form(page.text, "version"), **told})


def suspending(service: Service) -> Way:
    by = service.browsers[Role.MANAGER]
    listed = by.get("/volunteers?show=free").text  # all their checks are in order, or nobody approves them again
    volunteer = re.findall(r'href="/volunteers/(V[2-9B-Z]{11})"', listed)[0]
    page = by.get(f"/volunteers/{volunteer}/status").text
    fields = {**form(page, "version"), "status": "suspended", "reason-suspended": "check lapsed"}
    yield "a volunteer suspended", lambda: by.send(f"/volunteers/{volunteer}/status", fields)
    page = by.get(f"/volunteers/{volunteer}/status").text
    fields = {**form(page, "version"), "status": "approved", "reason-approved": "checks complete"}
    yield "a volunteer approved", lambda: by.send(f"/volunteers/{volunteer}/status", fields)
    allowed = {"kind": "second child", "value": "2", "reason": "To have one to measure"}
    yield "an exception allowed", lambda: by.send(f"/volunteers/{volunteer}/exceptions/new", allowed)

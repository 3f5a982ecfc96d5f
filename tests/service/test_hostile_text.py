"""Text that is hostile, in every text field of every form and in whatever is kept: shown as text, never run.

A browser says so where a page makes markup of it: what its policy then forbids is on the console (`silent`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from string import Formatter

import pytest
from browser import HOSTILE, Site, as_text
from playwright.sync_api import Page
from sqlalchemy import select

from matcher.instance import today
from matcher.records import ExceptionKind, Party
from service import exceptions, organisations, whom_to_ring, year_words
from service.database import tables
from service.importing.uploads import hold, receive
from service.permissions import MAY, PUBLIC, ROUTES, Role
from service.proposals import Chosen, propose, take_step
from service.reasons import CONCERN_PAUSES
from service.reports import Year
from service.repository import Repository
from service.runs import ask_for

FILL = """([number, text]) => [...document.querySelectorAll("main form")[number].querySelectorAll("textarea, input")]
    .filter(one => !["hidden", "checkbox", "radio", "file", "submit", "password"].includes(one.type) && !one.readOnly)
    .map(one => { one.value = text.slice(0, one.maxLength > 0 ? one.maxLength : undefined);
                  return [one.name, one.value]; })"""
IMAGE = HOSTILE.rpartition("</script>")[2]
"""Where a name may not be longer."""
EACH = {
    "reference", "siblings", "note", "day", "clock", "reason", "found", "said", "child", "children", "months", "name",
    "title", "budget", "spent", "service", "out_of_hours", "email", "home", "provider", "known_children",
}  # fmt: skip
"""Names of fields that a page must have had, of each form one or more: that none is left out by a slip of this test."""
SEND = "number => HTMLFormElement.prototype.submit.call(document.querySelectorAll('main form')[number])"
SEVERAL = {
    "children part": ("about", "wishes", "placement", "referral"),
    "volunteers part": ("about", "offer", "checks", "independence"),
    "reader": ("child", "volunteer"), "letter": ("appointment",), "number": ("1",), "code": ("E06000062",),
    "report": ("waits", "matches", "equality", "endings", "spending", "year"),
    "step_id": ("ask_volunteer", "volunteer_declines", "child_declines", "withdraw", "pause", "end"),
}  # fmt: skip


@pytest.fixture(scope="module")
def kept(site: Site) -> dict[str, list[str]]:
    """What stands in an address, by the name it has in its route; of all that words are kept of, they are hostile."""
    child, volunteer = site.pairs[0]
    _, (_, other, *_) = site.choice
    with site.kith.database.write(site.north) as session:
        rows = Repository(session, site.kith.keys)
        user = session.scalars(select(tables.User.id).where(tables.User.role == Role.MANAGER)).one()
        chosen = Chosen("fit", 1, (volunteer,))
        open_one = propose(rows, child, volunteer, user_id=user, reason="other", chosen=chosen, note=HOSTILE).id
        take_step(rows, open_one, "ask_volunteer", by=Party.AUTHORITY, user_id=user, note=HOSTILE)
        active, concerning = session.scalars(select(tables.Match.id).where(tables.Match.state == "active").limit(2))
        take_step(rows, concerning, "pause", by=Party.AUTHORITY, user_id=user, reason=CONCERN_PAUSES,
                  note=HOSTILE)  # fmt: skip
        suspended = rows.match(concerning).volunteer_id
        allowed = exceptions.approve(
            rows, ExceptionKind.SECOND_CHILD, other, None, 2, user_id=user, reason=HOSTILE
        ).id  # fmt: skip
        provider = organisations.add(rows, IMAGE, user_id=user).id
        whom_to_ring.write(rows, {"service": HOSTILE, "address": HOSTILE, "advocacy": HOSTILE}, user_id=user)
        words = dict.fromkeys(year_words.SECTIONS, HOSTILE)
        year_words.write(rows, Year.of(today()), words, user_id=user)
        run = ask_for(rows.session, site.north, "match ended").id
        uploads = [
            hold(rows, receive(rows, {name: content.encode()}), user_id=user).id
            for name, content in (
                (
                    f"{HOSTILE.replace('/', '')[:60]}.csv",
                    f'Their child,"{HOSTILE.replace(chr(34), "")}",agrees\nC1,x,y\n',
                ),
                ("children.csv", 'child_id,coordinator\nN-1,"{}"\n'.format(HOSTILE.replace('"', '""'))),
            )
        ]
        batch = session.scalars(select(tables.ImportBatch.id)).first() or ""
        account = session.scalars(select(tables.User.id).where(tables.User.role == Role.ANALYST)).one()
    return {name: list(several) for name, several in SEVERAL.items()} | {
        "child_id": [child], "volunteer_id": [volunteer, suspended], "match_id": [open_one, active, concerning],
        "exception_id": [allowed], "organisation_id": [provider], "run_id": [run], "upload_id": uploads,
        "import_id": [batch], "user_id": [account],
    }  # fmt: skip


def addresses(kept: dict[str, list[str]]) -> Iterator[tuple[Role | None, str]]:
    """Every page there is, of each kind, with a role that may open it."""
    for line, needs in ROUTES.items():
        method, path = line.split()
        aside = ("/api/", "/health", "/ready", "/metrics", "/welcome/", "/imports/templates/")
        if method != "GET" or path.startswith(aside) or path.endswith(("xlsx", "/corrections/{sheet}")):
            continue
        names = [name for _, name, _, _ in Formatter().parse(path) if name]
        values = [kept[f"{path.split('/')[1]} part" if name == "part" else name] for name in names]
        role = None if needs is PUBLIC else next(
            one for one in (Role.MANAGER, Role.ADMINISTRATOR, Role.AUDITOR) if needs in MAY[one]
        )  # fmt: skip
        yield from ((role, path.format(**dict(zip(names, some, strict=True)))) for some in product(*values))


def test_no_text_field_makes_markup_of_what_is_typed(site: Site, kept: dict[str, list[str]]) -> None:
    """Of each form of each page, with all that is kept beside it: it is there as text, in the answer or thereafter."""
    pages: dict[Role | None, Page] = {}
    lost, filled = [], set()
    for role, address in addresses(kept):
        page = pages[role] if role in pages else pages.setdefault(role, site.page(role))
        page.goto(site.at + address)
        for number in range(page.locator("main form").count()):
            if number:
                page.goto(site.at + address)
            typed = page.evaluate(FILL, [number, HOSTILE])
            if typed:
                with page.expect_navigation():
                    page.evaluate(SEND, number)
                if not all(as_text(page, text) for _, text in typed):  # saved, and told where it belongs
                    page.goto(site.at + address)
                lost += [(address, name) for name, text in typed if not as_text(page, text)]
                filled |= {name for name, _ in typed}
        assert page.locator("img[src=x]").count() == 0, address
    assert lost == []
    assert filled >= EACH
    assert any(name.startswith("every-") for name in filled)
    assert len(filled) > 100


def test_what_is_kept_is_told_as_text(site: Site, kept: dict[str, list[str]]) -> None:
    proposal, active, _ = kept["match_id"]
    manager = site.page(Role.MANAGER)
    for address, text in (
        (f"/proposals/{proposal}", HOSTILE), (f"/proposals/{active}/letters/appointment", HOSTILE),
        ("/reports/year", HOSTILE), ("/organisations", IMAGE),
        (f"/exceptions/{kept['exception_id'][0]}/withdraw", HOSTILE),
        (f"/imports/files/{kept['upload_id'][1]}", HOSTILE),
    ):  # fmt: skip
        manager.goto(site.at + address)
        assert as_text(manager, text), address
    page = site.page(Role.ADMINISTRATOR)
    page.goto(f"{site.at}/log?days=0")
    assert as_text(page)  # of whoever did it
    page.goto(f"{site.at}/users")
    page.fill("#name", HOSTILE)
    page.fill("#email", "somebody@invited.invalid")
    page.select_option("#role", "coordinator")
    page.locator("main").get_by_role("button", name="Invite").click()
    assert as_text(page)
    page.goto(page.locator("#link").input_value())
    assert as_text(page, "")

"""That axe finds no fault on any page that docs/accessibility.md names, as it stands, refused, empty and as a problem.

`test_page_routes` holds the list there against the routes; here it is held against what axe was shown of each.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browser import HOSTILE, PASSWORD, Site, faults, sign_in
from playwright.sync_api import Page
from service_rows import a_child, a_match
from sqlalchemy import func, select
from test_proposals import FIRST

from matcher.records import ExceptionKind, Party
from service import exceptions, organisations, proposals, runs, steps
from service.asking import to_ask
from service.brought_up import BROUGHT_UP
from service.database import tables
from service.importing.uploads import hold, receive
from service.installation import add_authority, add_user, change_user
from service.middleware import RateLimit
from service.pages import today as today_room
from service.pages.forms import PARTS
from service.pages.reports import TABS
from service.permissions import ROUTES, Role
from service.proposals import take_step
from service.reasons import ASKED_BY, UNSAFE
from service.repository import Repository
from service.standing import CONCERN
from service.workflow import STEPS, State, possible

DOCUMENT = Path(__file__).parents[2] / "docs" / "accessibility.md"
PAGES = sorted(
    (line.removeprefix("GET ") for line in ROUTES if line.startswith("GET ")), key=lambda path: path.count("{")
)
"""The paths of what is opened; first those of which no part may be anything."""


def named() -> dict[str, set[str]]:
    """The pages that the document names, by the lines of its table."""
    table = DOCUMENT.read_text(encoding="utf-8").partition("## The pages")[2].partition("##")[0]
    lines = re.findall(r"^\| ([^|]+) \| (.*`/.*) \|$", table, re.M)
    return {what: set(re.findall(r"`(/[^`]*)`", pages)) for what, pages in lines}


@dataclass
class Look:
    """Somebody who opens pages, what axe found of them, and which they were."""

    site: Site
    page: Page = field(init=False)
    found: list[str] = field(default_factory=list)
    opened: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.become(Role.COORDINATOR)

    def become(self, role: Role | None, where: str = "north") -> None:
        self.page = self.site.page(None)
        if role is not None:
            sign_in(self.page, role, where)

    def at(self, *paths: str, status: int = 200) -> None:
        """Opens pages that answer so."""
        for path in paths:
            self.page.set_viewport_size({"width": 1280, "height": 900})
            answer = self.page.goto(self.site.at + path)
            assert answer is not None
            assert answer.status == status, path
            self.here(path)
            if status == 200:
                at = urlsplit(self.page.url).path
                self.opened.add(next(one for one in PAGES if re.fullmatch(re.sub(r"{\w+}", "[^/]+", one), at)))

    def here(self, path: str | None = None) -> None:
        """The page that is open, by whatever way."""
        self.found += [f"{path or self.page.url}: {one}" for one in faults(self.page)]

    def refused(self, path: str, button: str, **typed: str) -> None:
        """The form of a page as it comes back, with what was typed by the ids of fields."""
        self.page.set_viewport_size({"width": 1280, "height": 900})
        self.page.goto(self.site.at + path)
        for name, text in typed.items():
            self.page.fill(f"#{name}", text)
        self.page.locator("main").get_by_role("button", name=button).last.click()
        assert self.page.locator(".govuk-error-summary, .govuk-error-message").count(), path
        self.here(f"refused {path}")

    def each(self, radios: str) -> None:
        """The open page with each of these radios chosen: with what that opens."""
        self.page.set_viewport_size({"width": 1280, "height": 900})
        every = self.page.locator(radios).all()
        assert len(every) > 1
        for one in every:
            one.check()
            self.here(f"{self.page.url} with {one.get_attribute('value')}")
            self.page.set_viewport_size({"width": 1280, "height": 900})

    def user(self, rows: Repository, role: Role = Role.MANAGER) -> str:
        of = tables.User.authority_id == self.site.north, tables.User.role == role
        return rows.session.scalars(select(tables.User.id).where(*of)).first() or ""


def signing_in(look: Look) -> None:
    look.become(Role.ADMINISTRATOR)
    look.refused("/users", "Invite", name="", email="nowhere")
    look.page.fill("#name", "Somebody New")
    look.page.fill("#email", "new@invited.invalid")
    look.page.select_option("#role", "coordinator")
    look.page.locator("main").get_by_role("button", name="Invite").click()
    link = look.page.locator("#link").input_value()
    look.here("invited")
    look.become(None)
    look.at("/sign-in", link.removeprefix(look.site.at))
    look.refused(link.removeprefix(look.site.at), "")
    look.refused("/sign-in", "Sign in")
    look.at("/welcome/some-link", status=410)


def today(look: Look) -> None:
    """With what is loudest there: facts that cannot be, a concern, children to be asked."""
    a_past_match(look)
    with look.site.kith.database.write(look.site.north) as session:
        rows = Repository(session, look.site.kith.keys)
        child = rows.child(look.site.nobody)
        record = replace(rows.child_record(child, True), date_of_birth=date(1990, 5, 3), safeguarding_issue=True)
        rows.write_child(child, record)
    look.at("/")
    assert "Correct the year" in look.page.inner_text("main")
    look.at(f"/children/{look.site.nobody}")
    look.become(Role.MANAGER)
    look.at("/")
    closing = f"/children/{look.site.nobody}/change/referral"
    look.at(closing)
    assert look.page.locator("#found").count()
    look.page.select_option("#safeguarding_issue", "no")
    look.page.locator("main").get_by_role("button", name="Save").click()  # without a word of what was found
    assert look.page.locator(".govuk-error-summary").count()
    look.here("refused " + closing)


def children(look: Look) -> None:
    child, _ = look.site.choice
    own = f"/children/{child}"
    look.at("/children", "/children?show=everybody&sort=priority&page=2", "/children?coordinator=nobody-here",
            "/children/new", own, f"/children/{look.site.nobody}", f"{own}/siblings", f"{own}/readers",
            *(f"{own}/change/{part}" for part in PARTS["children"]))  # fmt: skip
    look.refused("/children", "Find", reference="nobody")
    look.refused("/children/new", "Add the child", date_of_birth="31/02/2015")
    look.refused(f"{own}/change/wishes", "Save", prefers_to_age="old")
    look.refused(f"{own}/siblings", "Save", siblings="nobody-here")
    with look.site.kith.database.read(look.site.north) as session:
        family = select(tables.Child.family_id).group_by(tables.Child.family_id).having(func.count() > 1)
        sibling = session.scalars(select(tables.Child.id).where(tables.Child.family_id.in_(family))).first()
    look.become(Role.MANAGER)
    look.at(f"/children/{sibling}/siblings", f"/children/{sibling}/unlink")
    look.refused(f"/children/{sibling}/unlink", "")


def choosing(look: Look) -> None:
    child, (volunteer, other, *_) = look.site.choice
    own = f"/children/{child}"
    look.at(f"{own}/shortlist?rank=fit", f"{own}/shortlist?rank=fit&everybody=yes", f"{own}/shortlist",
            f"/children/{look.site.nobody}/shortlist", f"{own}/compare",
            f"{own}/compare?rank=fit&with={volunteer}&with={other}", f"{own}/propose/{volunteer}?rank=fit")  # fmt: skip
    look.refused(f"{own}/propose/{volunteer}?rank=fit", "Propose", note="Rang.")


def a_past_match(look: Look) -> str:
    """The address of one of which the child is to be asked, since a concern about the volunteer."""
    with look.site.kith.database.write(look.site.north) as session:
        rows = Repository(session, look.site.kith.keys)
        if already := to_ask(rows):
            return f"/proposals/{already[0].match.id}"
        child, manager = a_child(rows, "visited before"), look.user(rows)
        child.referral = False
        match = a_match(session, child, rows.volunteer(look.site.volunteer), State.ENDED, place=None)
        session.flush()
        steps.note(rows, match, BROUGHT_UP, user_id=manager, reason=CONCERN)
        return f"/proposals/{match.id}"


WAY: tuple[tuple[str, Party, str | None], ...] = (
    ("ask_volunteer", Party.AUTHORITY, None), ("volunteer_accepts", Party.VOLUNTEER, None),
    ("child_would_meet", Party.CHILD, None), ("meeting_held", Party.AUTHORITY, None),
    ("child_agrees", Party.CHILD, None), ("appoint", Party.AUTHORITY, None), ("first_visit", Party.VOLUNTEER, None),
    ("review_falls_due", Party.AUTHORITY, None), ("review_held", Party.AUTHORITY, ASKED_BY[0]),
    ("pause", Party.AUTHORITY, "circumstances"), ("pause", Party.CHILD, UNSAFE), ("end", Party.CHILD, UNSAFE),
)  # fmt: skip
"""One proposal from beginning to end, past every state in which a step can be recorded."""


def proposals_and_matches(look: Look) -> None:
    """Each kind of step where it can be recorded first, and the proposal itself at each state."""
    child, volunteer = look.site.pairs[0]
    database, keys = look.site.kith.database, look.site.kith.keys
    with database.write(look.site.north) as session:
        rows = Repository(session, keys)
        user = look.user(rows, Role.COORDINATOR)
        reason = "first on the shortlist"
        id = proposals.propose(rows, child, volunteer, user_id=user, reason=reason, chosen=FIRST).id
    own, shown = f"/proposals/{id}", set()
    look.at("/proposals", f"{own}/notes", f"{own}/share", f"{own}/for-child", f"{own}/for-volunteer")
    look.refused(f"{own}/notes", "Note it", note="")
    look.at(f"{own}/letters/appointment", f"{own}/asked", status=409)
    for step, by, reason_given in (*WAY, (None, None, None)):
        with database.read(look.site.north) as session:
            rows = Repository(session, keys)
            now = steps.progress(rows, rows.match(id))
        look.at(own)
        fresh = [one.id for one in possible(now.state, now.paused_for) if one.id not in shown]
        look.at(*(f"{own}/steps/{one}" for one in fresh))
        shown |= set(fresh)
        if step == "volunteer_accepts":
            look.at(f"{own}/take-back")
            look.refused(f"{own}/take-back", "Take it back")
            look.refused(f"{own}/steps/child_declines", "Record", note="Rang.")
            look.at(f"{own}/steps/resume", status=409)
        elif step == "appoint":
            look.at(f"{own}/letters/appointment")
        elif step == "end":
            look.refused(f"{own}/steps/child_resumes", "Record", note="Yes.")
        elif step == "review_falls_due":
            look.page.goto(f"{look.site.at}{own}/steps/end")
            look.each("input[name=said_by]")
            look.refused(f"{own}/steps/end", "Record", note="Rang.")
            look.refused(f"{own}/steps/pause", "Record", note="Rang.")
        if step is None or by is None:
            break
        with database.write(look.site.north) as session:
            rows = Repository(session, keys)
            session.get_one(tables.Match, id).since -= timedelta(hours=25)  # the child has had their time
            session.flush()
            take_step(rows, id, step, by=by, user_id=user, reason=reason_given, note="The visits are fine.")
    assert shown == {one.id for one in STEPS}
    past = a_past_match(look)
    look.at(f"{own}/letters/ending", "/proposals?show=over", "/proposals?show=matches", past, f"{past}/asked")
    look.refused(f"{past}/asked", "Record it", note="Rang.")
    look.become(Role.MANAGER)
    look.at(f"{past}/asked")


def volunteers(look: Look) -> None:
    volunteer = look.site.choice[1][-1]
    own = f"/volunteers/{volunteer}"
    with look.site.kith.database.write(look.site.north) as session:
        rows = Repository(session, look.site.kith.keys)
        second = ExceptionKind.SECOND_CHILD
        allowed = exceptions.approve(rows, second, volunteer, None, 2, user_id=look.user(rows), reason="for a while").id
    look.at("/volunteers", "/volunteers?show=not%20ready", "/volunteers?show=checks&sort=lapse", "/volunteers/new")
    look.at(own, f"{own}/shortlist", f"{own}/status", *(f"{own}/change/{part}" for part in PARTS["volunteers"]))
    look.refused("/volunteers", "Find", reference="nobody")
    look.refused("/volunteers/new", "Add the volunteer", date_of_birth="31/02/1980")
    look.refused(f"{own}/status", "Change where they stand")
    look.each("input[name=status]")
    look.become(Role.MANAGER)
    look.at(f"{own}/exceptions/new", f"/exceptions/{allowed}/withdraw")
    look.refused(f"{own}/exceptions/new", "Allow it")
    look.each("input[name=kind]")
    look.refused(f"/exceptions/{allowed}/withdraw", "Withdraw it")


def of_organisations(look: Look) -> None:
    with look.site.kith.database.write(look.site.north) as session:
        rows = Repository(session, look.site.kith.keys)
        id = organisations.add(rows, "Y" + "y" * 60, user_id=look.user(rows)).id
    look.at("/organisations", f"/organisations/{id}")
    look.refused(f"/organisations/{id}", "Rename it", name="")


def of_runs(look: Look) -> None:
    """Its states are in `test_run_pages`."""
    with look.site.kith.database.write(look.site.north) as session:
        id = runs.ask_for(session, look.site.north, "match ended").id
    look.at("/runs", f"/runs/{id}")
    look.refused("/runs", "Start")


def policy(look: Look) -> None:
    """Drafts with faults, and what one would change, are in `test_policy_pages`."""
    look.at("/policy", "/policy/versions", "/policy/versions/1")
    look.become(Role.MANAGER)
    look.at("/policy", "/policy/draft")


def imports(look: Look) -> None:
    """Files with every kind of problem are in `test_import_pages`."""
    files = {"children.csv": b"child_id\nC9001\n"}, {"ours.csv": b"Who,Likes\nC9002,art\n"}
    with look.site.kith.database.write(look.site.north) as session:
        rows, senders = Repository(session, look.site.kith.keys), (Role.MANAGER, Role.COORDINATOR)
        fine, foreign = (
            hold(rows, receive(rows, sent), user_id=look.user(rows, role)).id
            for sent, role in zip(files, senders, strict=True)  # of each, the last that they sent is kept
        )
        batch = session.scalars(select(tables.ImportBatch.id)).first()
    look.become(Role.MANAGER)
    look.at("/imports", f"/imports/files/{fine}", f"/imports/files/{fine}/confirm", f"/imports/files/{foreign}",
            f"/imports/files/{foreign}/columns", f"/imports/{batch}")  # fmt: skip


def reports(look: Look) -> None:
    look.become(Role.MANAGER)
    look.at("/reports", *(f"/reports/{name}" for name, _ in TABS), "/reports/year/words", "/reports/budgets/E06000062")


def whom_to_ring(look: Look) -> None:
    look.become(Role.MANAGER)
    look.at("/whom-to-ring")
    look.refused("/whom-to-ring", "Save", telephone="none")


def accounts(look: Look) -> None:
    look.become(Role.ADMINISTRATOR)
    look.at("/users")
    for what in ("role", "close"):
        look.page.goto(f"{look.site.at}/users")
        own = look.page.locator(f"a[href$='/{what}']").first.get_attribute("href") or ""
        look.at(own)
        if what == "role":
            look.page.check("input[name=role] >> nth=0")
            look.page.click("main form button.govuk-button")  # without a reason
            assert look.page.locator("input[name=role]").first.is_checked()
            look.here()


def log(look: Look) -> None:
    look.become(Role.AUDITOR)
    look.at("/log", "/log?kind=read&days=0", "/log?actor=" + "U" + "2" * 11)


VISITS: Mapping[str, Callable[[Look], None]] = {
    "signing in": signing_in, "today": today, "children": children, "choosing": choosing,
    "proposals and matches": proposals_and_matches, "volunteers": volunteers, "organisations": of_organisations,
    "runs": of_runs, "policy": policy, "import": imports, "reports": reports,
    "whom letters say to ring": whom_to_ring, "accounts": accounts, "log": log,
}  # fmt: skip
"""Each line of the document's table."""


def test_every_line_of_the_document_is_looked_at() -> None:
    assert set(VISITS) == set(named())


@pytest.mark.parametrize("what", VISITS)
def test_axe_finds_no_fault_on_any_page_that_the_document_names(site: Site, what: str) -> None:
    look = Look(site)
    VISITS[what](look)
    assert look.found == []
    assert named()[what] - look.opened == set()


def an_empty_authority(site: Site) -> None:
    """South, with a manager and an administrator, and nobody else."""
    database, keys = site.kith.database, site.kith.keys
    south = add_authority(database, keys, "South")
    for role in (Role.MANAGER, Role.ADMINISTRATOR):
        add_user(database, keys, south, f"{role}@south.invalid", f"{role} {HOSTILE}", role)
        change_user(database, keys, f"{role}@south.invalid", password=PASSWORD)


def test_axe_finds_no_fault_where_there_is_nobody_yet(site: Site) -> None:
    an_empty_authority(site)
    look = Look(site)
    look.become(Role.MANAGER, "south")
    look.at("/", "/children", "/children?show=everybody", "/children/new", "/volunteers", "/volunteers/new",
            "/proposals", "/proposals?show=over", "/organisations", "/whom-to-ring", "/runs", "/policy",
            "/policy/versions", "/imports", *(f"/reports/{name}" for name, _ in TABS))  # fmt: skip
    look.become(Role.ADMINISTRATOR, "south")
    look.at("/users", "/log")
    assert look.found == []


def test_axe_finds_no_fault_on_a_page_that_says_what_is_wrong(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    look = Look(site)
    child, _ = site.choice
    look.at("/nothing-here", "/children/C222222222BB", status=404)
    look.at(f"/children/{child}/unlink", status=403)
    with monkeypatch.context() as patch:
        patch.setattr(RateLimit, "_allowed", lambda *_: False)
        look.at("/children", status=429)
    page = look.page = site.browser.new_context().new_page()  # whose console nobody listens to: it tells of the fault
    page.goto(f"{site.at}/sign-in")
    sign_in(page, Role.COORDINATOR)
    with monkeypatch.context() as patch:
        patch.setattr(today_room, "last_run", lambda *_: 1 // 0)
        look.at("/", status=500)
    assert "Sorry, there is a fault in Kith" in page.inner_text("h1")
    assert look.found == []

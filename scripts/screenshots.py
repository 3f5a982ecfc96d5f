"""Pictures of every page, in docs/screenshots: a made-up county, its day begun, looked at in Debian's Chromium.

It fails where a page of `permissions.ROUTES` is in no picture.
"""

from __future__ import annotations

import csv
import re
import secrets
import threading
import time
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar
from urllib.parse import urlsplit

import uvicorn
from PIL import Image
from playwright.sync_api import Page, ViewportSize, sync_playwright
from pydantic import SecretStr
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from matcher.records import Status
from service import demo, matching, organisations, people, plans, runs, standing
from service.api.deps import Installation
from service.app import create_app
from service.auth import user_by_email
from service.database.tables import Authority, Child, Match, RecordedException, User
from service.installation import add_authority, add_user, change_user
from service.permissions import ROUTES, Role
from service.repository import Repository
from service.runs import Held
from service.settings import Settings
from service.workflow import State

TO = Path(__file__).parents[1] / "docs" / "screenshots"
SAMPLES = Path(__file__).parents[1] / "data" / "samples"
PORT = 8397
AT = f"http://127.0.0.1:{PORT}"
DOWNLOADS = {"GET /health", "GET /ready", "GET /metrics", "GET /import", "GET /reports", "GET /reports/budgets"}
"""What a browser shows no page of: figures for programs, and addresses that lead on to another."""
FILES = (".xlsx", "/xlsx", "/{sheet}")
PHONE: ViewportSize = {"width": 400, "height": 800}
DESK: ViewportSize = {"width": 1200, "height": 800}
COLOURS = 128
"""Of a picture: enough for flat pages, and a third of the bytes."""


def main() -> None:
    TO.mkdir(exist_ok=True)
    for old in TO.glob("*.png"):
        old.unlink()
    matching.PATIENCE = 60.0  # the pictures are of what a second look shows
    with TemporaryDirectory(prefix="kith-pictures-") as folder:
        here = Path(folder)
        database = SecretStr(f"sqlite:///{here}/kith.db")
        settings = Settings(database_url=database, keys_file=here / "keys.json", demo=True, log_level="error")
        passwords = demo.make(settings, here)
        app = create_app(settings)
        server = uvicorn.Server(uvicorn.Config(app, port=PORT, log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            page = browser.new_page(viewport=DESK)
            page.set_default_timeout(60_000)
            page.goto(AT)
            keep(page, "sign-in")
            sign_in(page, "coordinator@demo.invalid", passwords)
            the_day(page)
            an_import(page, here / "county")
            the_reports(page)
            again(page, "manager@demo.invalid", passwords)
            two_runs(page, app.state.kith)
            a_draft(page)
            confirm_import(page)
            what_a_manager_does(page, app.state.kith)
            again(page, "coordinator@demo.invalid", passwords)
            page.goto(AT)
            keep(page, "today", until=".kith-today")
            keep(page, "today-below", since=".kith-today + section")
            on_a_phone(page)
            again(page, "administrator@demo.invalid", passwords)
            the_accounts(page)
            page.goto(AT + "/log")
            keep(page, "log")
            again(page, *a_new_county(app.state.kith))
            nobody_yet(page)
            browser.close()
        server.should_exit = True
        thread.join()
    if left := unseen():
        raise SystemExit(f"In no picture: {', '.join(left)}")


def unseen() -> list[str]:
    """The pages that stand in no picture."""
    pages = [line for line in ROUTES if line.startswith("GET ") and "/api/" not in line and line not in DOWNLOADS]
    patterns = {line: re.sub(r"\\{\w+\\}", "[^/]+", re.escape(line[4:])) for line in pages if not line.endswith(FILES)}
    return [line for line, one in patterns.items() if not any(re.fullmatch(one, path) for path in SEEN)]


SEEN: set[str] = set()
Row = TypeVar("Row")


def the_day(page: Page) -> None:
    """From the child who waits longest to a proposal that the child considers."""
    page.goto(f"{AT}/children?sort=priority")
    keep(page, "children")
    page.locator("tbody th a").first.click()
    keep(page, "child")
    child = page.url
    for name in ("change/wishes", "siblings"):
        page.goto(f"{child}/{name}")
        keep(page, f"child-{name.rpartition('/')[2]}")
    page.goto(f"{AT}/children/new")
    keep(page, "child-new")
    page.goto(f"{AT}/children/CXXXXXXXXXXX")
    keep(page, "problem")
    page.goto(child)
    page.get_by_role("button", name="See who could visit").click()
    shortlist = page.url
    keep(page, "shortlist", until=".kith-card >> nth=2")
    keep(page, "shortlist-below", since="section:has(.kith-journeys)")
    page.set_viewport_size(PHONE)
    keep(page, "shortlist-phone", until=".kith-card >> nth=0")
    page.set_viewport_size(DESK)
    for box in page.get_by_label("Compare").all()[:3]:
        box.check()
    page.get_by_role("button", name="Compare the ones you ticked").click()
    keep(page, "compare")
    page.goto(shortlist)
    page.get_by_role("button", name="Propose").first.click()
    keep(page, "propose")
    page.get_by_label("First on the shortlist").check()
    page.locator("main form .govuk-button").click()
    for _ in range(2):
        page.locator(".kith-next .govuk-button").click()
    keep(page, "proposal")
    proposal = page.url
    page.get_by_role("link", name="Choose what is shared").click()
    keep(page, "share")
    for name in ("for-child", "for-volunteer", "notes", "steps/child_declines"):
        page.goto(f"{proposal}/{name}")
        keep(page, name.rpartition("/")[2])
    page.locator("main form .govuk-button").click()
    keep(page, "step-refused")
    page.goto(f"{AT}/proposals?show=matches")
    keep(page, "proposals")
    page.locator("tbody th a").first.click()
    match = page.url
    keep(page, "match")
    for name in ("pause", "end"):
        page.goto(f"{match}/steps/{name}")
        keep(page, f"step-{name}")
    page.goto(f"{match}/letters/appointment")
    keep(page, "letters")
    page.goto(f"{AT}/proposals?show=over")
    page.locator("tbody th a").first.click()
    page.goto(f"{page.url}/letters/ending")
    keep(page, "letters-ending")
    page.goto(f"{AT}/volunteers/new")
    keep(page, "volunteer-new")
    page.goto(f"{AT}/volunteers")
    keep(page, "volunteers")
    page.locator("tr:has-text('Free') th a").first.click()
    keep(page, "volunteer")
    volunteer = page.url
    for name in ("shortlist", "change/checks", "status"):
        page.goto(f"{volunteer}/{name}")
        keep(page, f"volunteer-{name.rpartition('/')[2]}")
    page.goto(f"{shortlist.removesuffix('/shortlist')}/readers")
    keep(page, "readers")


def an_import(page: Page, county: Path) -> None:
    """A file of another system, a file with problems, and one that changes what is here, safeguards among it."""
    page.goto(f"{AT}/imports")
    keep(page, "import")
    send(page, SAMPLES / "foreign" / "ssda903-children.csv")
    keep(page, "import-columns")
    send(page, SAMPLES / "messy" / "children.csv")
    keep(page, "import-problems")
    page.set_viewport_size(PHONE)
    keep(page, "import-problems-phone")
    page.set_viewport_size(DESK)
    file = county / "children.csv"
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    rows[0] |= {"interests": "chess; hiking", "placement_move_pending": "yes"}
    rows[1] |= {"coordinator": "Coordinator B"}
    for row in [one for one in rows if one["agrees"] == "no"][:2]:
        row["agrees"] = "yes"
    rows.append({**rows[2], "child_id": "C9001", "family": ""})
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    send(page, file)
    keep(page, "import-look")
    page.get_by_role("button", name="Go on to confirm").click()
    keep(page, "import-confirm-coordinator")


def the_reports(page: Page) -> None:
    for name in ("waits", "matches", "endings", "spending", "equality", "year"):
        page.goto(f"{AT}/reports/{name}")
        keep(page, f"report-{name}")


def confirm_import(page: Page) -> None:
    """What a coordinator sent, a manager confirms, safeguard by safeguard."""
    page.goto(f"{AT}/imports")
    page.get_by_role("link", name="Files of").first.click()
    page.get_by_role("button", name="Go on to confirm").click()
    for box in page.locator("input[name=weaken]").all():
        box.check()
    page.get_by_label("Regular update").check()
    keep(page, "import-confirm")
    page.get_by_role("button", name="Take these files in").click()
    keep(page, "import-done")


def what_a_manager_does(page: Page, kith: Installation) -> None:
    """What is allowed in a single case, taken back and put right; and a concern, with whom to ask."""
    with kith.database.read() as session:
        authority = session.scalars(select(Authority.id)).one()
    with kith.database.write(authority) as session:
        rows = Repository(session, kith.keys)
        user = user_by_email(session, "manager@demo.invalid").id
        families = select(Child.family_id).group_by(Child.family_id).having(func.count() > 1)
        allowed = _first(session, select(RecordedException).where(RecordedException.withdrawn_on.is_(None)))
        sibling = _first(session, select(Child).where(Child.family_id.in_(families)).order_by(Child.reference))
        past = _first(session, select(Match).where(Match.state == State.ENDED).order_by(Match.ended_on))
        proposed = _first(session, select(Match).where(Match.state == State.CHILD_CONSIDERS))
        organisations.rename(
            rows, organisations.add(rows, "Bluebell Care", user_id=user), "Bluebell Homes", user_id=user
        )
        volunteer = rows.volunteer(past.volunteer_id)
        standing.set_status(rows, volunteer, Status.SUSPENDED, user_id=user, reason="concern raised")
        held = _first(session, select(Child).where(Child.referral).order_by(Child.reference.desc()))
        people.change_child(rows, held, {"safeguarding_issue": "yes"}, user_id=user)
    for name, path in {
        "exception": f"volunteers/{allowed.volunteer_id}/exceptions/new",
        "exception-withdraw": f"exceptions/{allowed.id}/withdraw",
        "child-held": f"children/{held.id}",
        "child-held-closing": f"children/{held.id}/change/referral",
        "child-unlink": f"children/{sibling.id}/unlink",
        "asked": f"proposals/{past.id}/asked",
        "take-back": f"proposals/{proposed.id}/take-back",
        "organisations": "organisations",
        "whom-to-ring": "whom-to-ring",
        "policy-version": "policy/versions/1",
        "report-year-words": "reports/year/words",
    }.items():
        page.goto(f"{AT}/{path}")
        keep(page, name)
    page.goto(f"{AT}/organisations")
    page.locator("tbody th a").first.click()
    keep(page, "organisation")
    page.goto(f"{AT}/reports/spending")
    page.get_by_role("link", name="Change").first.click()
    keep(page, "budget")


def _first(session: Session, which: Select[Row]) -> Row:
    found = session.scalars(which).first()
    assert found is not None
    return found


def the_accounts(page: Page) -> None:
    page.goto(f"{AT}/users")
    keep(page, "users")
    for name in ("role", "close"):
        page.goto(f"{AT}/users")
        page.locator(f"a[href$='/{name}']").first.click()
        keep(page, f"user-{name}")
    page.goto(f"{AT}/users")
    page.get_by_label("Name").fill("Somebody New")
    page.get_by_label("Email address").fill("new@demo.invalid")
    page.get_by_label("Role").select_option("coordinator")
    page.get_by_role("button", name="Invite").click()
    keep(page, "user-invited")
    link = page.locator("#link").input_value()
    page.goto(AT + urlsplit(link).path)
    keep(page, "welcome")


def on_a_phone(page: Page) -> None:
    page.set_viewport_size(PHONE)
    for name, path in {
        "today": "",
        "children": "children",
        "proposals": "proposals",
        "report-waits": "reports/waits",
    }.items():
        page.goto(f"{AT}/{path}")
        keep(page, f"{name}-phone")
    page.goto(f"{AT}/proposals")
    page.locator("tbody th a").first.click()
    keep(page, "proposal-phone")
    page.set_viewport_size(DESK)


def a_new_county(kith: Installation) -> tuple[str, dict[str, str]]:
    """An authority in which nobody is yet, and how its coordinator signs in."""
    email, password = "new-county@demo.invalid", secrets.token_urlsafe(12)
    authority = add_authority(kith.database, kith.keys, "A county that begins")
    add_user(kith.database, kith.keys, authority, email, "Somebody", Role.COORDINATOR)
    change_user(kith.database, kith.keys, email, password=password)
    return email, {email: password}


def nobody_yet(page: Page) -> None:
    for name in ("today", "children", "volunteers", "proposals", "runs"):
        page.goto(f"{AT}/{name if name != 'today' else ''}")
        keep(page, f"{name}-empty")


def again(page: Page, email: str, passwords: dict[str, str]) -> None:
    """Somebody else signs in at the same machine."""
    page.goto(AT)
    if page.get_by_role("button", name="Sign out").count():
        page.get_by_role("button", name="Sign out").click()
    sign_in(page, email, passwords)


def send(page: Page, file: Path) -> None:
    page.goto(f"{AT}/imports")
    page.set_input_files("#files", file)
    page.get_by_role("button", name="Look at these files").click()


def two_runs(page: Page, kith: Installation) -> None:
    """A plan that is published, a volunteer suspended, and what the next run changes."""
    with kith.database.read() as session:
        authority = session.scalars(select(Authority.id)).one()
        user = session.scalars(select(User.id).limit(1)).one()
    held = a_run(page, kith, authority, "To see where things stand")
    plans.make(kith.database, kith.keys, held, lambda _: None)
    page.goto(f"{AT}/runs/{held.run_id}")
    page.get_by_label("Why do you publish it?").fill("Agreed at the matching meeting of this month.")
    page.get_by_role("button", name="Publish").click()
    with kith.database.write(authority) as session:
        rows = Repository(session, kith.keys)
        matches = plans.of_run(rows, held.run_id)[1].plan["matches"]
        for match in matches[:3]:
            volunteer = rows.volunteer(match["volunteer"])
            standing.set_status(rows, volunteer, Status.SUSPENDED, user_id=user, reason=standing.LAPSED)
    held = a_run(page, kith, authority, "A volunteer was suspended")
    runs.renew(kith.database, held, progress="Scoring the pairs")
    page.goto(f"{AT}/runs/{held.run_id}")
    keep(page, "run-progress")
    plans.make(kith.database, kith.keys, held, lambda _: None)
    page.goto(f"{AT}/runs/{held.run_id}")
    keep(page, "run")
    page.goto(f"{AT}/runs")
    keep(page, "runs")


def a_run(page: Page, kith: Installation, authority: str, why: str) -> Held:
    """Started on its page; held, so that no worker takes it."""
    page.goto(f"{AT}/runs")
    page.get_by_label("Why?").select_option(label=why)
    page.get_by_role("button", name="Start").click()
    held = runs.take(kith.database, authority)
    assert held is not None
    return held


def a_draft(page: Page) -> None:
    """Interests that count for more, shorter journeys: tried, and saved."""
    page.goto(f"{AT}/policy")
    keep(page, "policy")
    page.get_by_role("button", name="Try a change").click()
    page.get_by_label("Weight").first.fill("80")
    keep(page, "policy-draft")
    page.get_by_text("Rules about the two together").click()
    page.locator("[id='rules.travel.miles']").fill("15")
    page.get_by_role("button", name="See what it would change").click()
    keep(page, "policy-preview")
    page.get_by_label("Why does the policy change?").fill("Agreed by the panel: shorter journeys, and more in common.")
    page.get_by_role("button", name="Save and put in force").click()
    keep(page, "policy-versions")


def sign_in(page: Page, email: str, passwords: dict[str, str]) -> None:
    page.get_by_label("Email address").fill(email)
    page.locator("#password").fill(passwords[email])
    page.locator("main").get_by_role("button", name="Sign in").click()


def keep(page: Page, name: str, *, since: str = "", until: str = "") -> None:
    """A picture of the page, or of it from one part on, or down to another, in few colours."""
    page.wait_for_load_state()  # what was clicked may still lead on
    SEEN.add(urlsplit(page.url).path)
    top = edges(page, since)[0] - 20 if since else 0
    whole = page.evaluate("document.documentElement.scrollHeight")
    bottom = edges(page, until)[1] + 20 if until else whole
    width = (page.viewport_size or {"width": 1200})["width"]
    taken = page.screenshot(full_page=True, clip={"x": 0, "y": top, "width": width, "height": bottom - top})
    picture = Image.open(BytesIO(taken)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    picture.save(TO / f"{name}.png", optimize=True)


def edges(page: Page, part: str) -> tuple[int, int]:
    """Where a part begins and ends on the whole page, in pixels from its top."""
    found = page.locator(part).first.evaluate("one => [one.getBoundingClientRect().y + scrollY, one.offsetHeight]")
    return int(found[0]), int(found[0] + found[1])


if __name__ == "__main__":
    main()

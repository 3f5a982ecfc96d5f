"""Pictures of the pages, in docs/screenshots: a made-up county, its day begun, looked at in Debian's Chromium."""

from __future__ import annotations

import csv
import threading
import time
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import uvicorn
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from pydantic import SecretStr
from sqlalchemy import select

from matcher.records import Status
from service import demo, matching, plans, runs, standing
from service.api.deps import Installation
from service.app import create_app
from service.database.tables import Authority, User
from service.repository import Repository
from service.runs import Held
from service.settings import Settings

TO = Path(__file__).parents[1] / "docs" / "screenshots"
SAMPLES = Path(__file__).parents[1] / "data" / "samples"
PORT = 8397
AT = f"http://127.0.0.1:{PORT}"
TALL = 1700
"""The most pixels of a picture from top to bottom."""
COLOURS = 128
"""Of a picture: enough for flat pages, and a third of the bytes."""


def main() -> None:
    TO.mkdir(exist_ok=True)
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
            page = browser.new_page(viewport={"width": 1200, "height": 800})
            page.set_default_timeout(60_000)
            page.goto(AT)
            keep(page, "sign-in")
            sign_in(page, "coordinator@demo.invalid", passwords)
            the_day(page)
            an_import(page, here / "county")
            the_reports(page)
            page.get_by_role("button", name="Sign out").click()
            sign_in(page, "manager@demo.invalid", passwords)
            two_runs(page, app.state.kith)
            page.goto(AT)
            keep(page, "today")
            a_draft(page)
            confirm_import(page)
            page.get_by_role("button", name="Sign out").click()
            sign_in(page, "administrator@demo.invalid", passwords)
            for name in ("users", "log"):
                page.goto(f"{AT}/{name}")
                keep(page, name)
            browser.close()
        server.should_exit = True
        thread.join()


def the_day(page: Page) -> None:
    """From the child who waits longest to a proposal that the child considers."""
    page.goto(f"{AT}/children?sort=priority")
    keep(page, "children", tall=2100)
    page.locator("tbody th a").first.click()
    keep(page, "child", tall=2100)
    page.get_by_role("button", name="See who could visit").click()
    shortlist = page.url
    keep(page, "shortlist", until=".kith-card >> nth=2")
    keep(page, "shortlist-below", since="section:has(.kith-journeys)")
    page.set_viewport_size({"width": 400, "height": 800})
    keep(page, "shortlist-phone", until=".kith-card >> nth=0")
    page.set_viewport_size({"width": 1200, "height": 800})
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
    for name in ("for-child", "for-volunteer", "steps/child_declines"):
        page.goto(f"{proposal}/{name}")
        keep(page, name.rpartition("/")[2])
    page.goto(f"{AT}/proposals?show=matches")
    keep(page, "proposals")
    page.locator("tbody th a").first.click()
    page.get_by_role("link", name="Letters of appointment").click()
    keep(page, "letters")
    page.goto(f"{AT}/volunteers")
    keep(page, "volunteers", tall=2100)
    page.locator("tr:has-text('Free') th a").first.click()
    keep(page, "volunteer", tall=2100)
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
    page.set_viewport_size({"width": 400, "height": 800})
    keep(page, "import-problems-phone")
    page.set_viewport_size({"width": 1200, "height": 800})
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
    keep(page, "run", tall=2400)
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
    keep(page, "policy", tall=1900)
    page.get_by_role("button", name="Try a change").click()
    page.get_by_label("Weight").first.fill("80")
    keep(page, "policy-draft")
    page.get_by_text("Rules about the two together").click()
    page.locator("[id='rules.travel.miles']").fill("15")
    page.get_by_role("button", name="See what it would change").click()
    keep(page, "policy-preview", tall=2400)
    page.get_by_label("Why does the policy change?").fill("Agreed by the panel: shorter journeys, and more in common.")
    page.get_by_role("button", name="Save and put in force").click()
    keep(page, "policy-versions")


def sign_in(page: Page, email: str, passwords: dict[str, str]) -> None:
    page.get_by_label("Email address").fill(email)
    page.locator("#password").fill(passwords[email])
    page.locator("main").get_by_role("button", name="Sign in").click()


def keep(page: Page, name: str, tall: int = TALL, *, since: str = "", until: str = "") -> None:
    """A picture of the page, or of it from one part on, or down to another, in few colours."""
    page.wait_for_load_state()  # what was clicked may still lead on
    top = edges(page, since)[0] - 20 if since else 0
    whole = page.evaluate("document.documentElement.scrollHeight")
    bottom = edges(page, until)[1] + 20 if until else min(top + tall, whole)
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

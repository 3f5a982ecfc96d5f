"""The pages in a real browser, for the modules that test them: a server and a Chromium each, on SQLite, a small county.

Debian's Chromium must be there; `.ci/run` installs it. There is no way to leave these tests out.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from pydantic import SecretStr

from matcher.instance import today
from matcher.readers import Reading
from matcher.shortlist import shortlist
from service import importing
from service.api.deps import Installation
from service.app import create_app
from service.crypto import KeyRing
from service.database.engine import Database
from service.installation import add_authority, add_user, change_user
from service.pages.reckoning import MOST
from service.permissions import Role
from service.repository import Repository
from service.settings import Settings

PASSWORD = "three words together"
HOSTILE = "\"'><script>window.ran=1</script><img src=x onerror=window.ran=1>{{7*7}}"


@dataclass(frozen=True)
class Site:
    """A service that listens, and a browser to ask it with."""

    at: str
    kith: Installation
    """What the service holds: for a test that has to see, or to bring about, what no page does."""
    north: str
    browser: Browser
    pairs: list[tuple[str, str]]
    """Children who wait, each with the first volunteer on their shortlist, nobody twice."""
    choice: tuple[str, list[str]]
    """A child with several volunteers on the shortlist, and those."""
    nobody: str
    """A child whom no volunteer could visit."""
    volunteer: str
    heard: list[str] = field(default_factory=list)
    """What no page may bring about: `silent` fails the test in which it does."""

    def page(self, role: Role | None = Role.COORDINATOR, *, script: bool = True, width: int = 1280) -> Page:
        """A new window, signed in; what its console says and whatever it asks of elsewhere fails the test."""
        context = self.browser.new_context(java_script_enabled=script, viewport={"width": width, "height": 900})
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("request", lambda request: self._asks(request.url))
        page.on("pageerror", lambda error: self.heard.append(f"script failed: {error}"))
        page.on("console", lambda said: self._says(said.type, said.text))
        page.goto(f"{self.at}/sign-in")
        if role is not None:
            sign_in(page, role)
        return page

    def _asks(self, url: str) -> None:
        if not url.startswith((self.at, "data:")):
            self.heard.append(f"asked another machine: {url}")

    def _says(self, kind: str, text: str) -> None:
        """What the policy for content forbids is an error, and so is what a script finds wrong; no form refused."""
        refused = text.startswith("Failed to load resource: the server responded with a status of 4")
        if kind in ("error", "warning") and not refused:
            self.heard.append(f"the console says: {text}")


@pytest.fixture(autouse=True)
def silent(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test that has a browser: what is raised while an event is heard would be lost at the end of it."""
    site = request.getfixturevalue("site") if "site" in request.fixturenames else None
    yield
    if site is not None:
        for context in site.browser.contexts:
            context.close()  # with all that its pages have still to say
        heard, site.heard[:] = site.heard[:], []
        assert heard == [], heard


IS_TEXT = """() => document.querySelector("img[src=x]") ? null :
    [document.querySelector("main").textContent,
     ...[...document.querySelectorAll("main input, main textarea")].map(one => one.value)].join("\\n")"""


def as_text(page: Page, text: str = HOSTILE) -> bool:
    """Whether the open page has hostile text, in words or in a field, and made nothing of it."""
    told = page.evaluate(IS_TEXT)
    return told is not None and text in told


def sign_in(page: Page, role: Role, where: str = "north") -> None:
    page.fill("#email", f"{role}@{where}.invalid")
    page.fill("#password", PASSWORD)
    page.locator("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile(r"/(runs|log|users)?$"))  # where each role begins


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, small_county: Reading, quick_hashes: None
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(sqlite_template, folder / "kith.db")
    KeyRing.new().write(folder / "keys.json")
    database_url = SecretStr(f"sqlite:///{folder}/kith.db")
    settings = Settings(
        database_url=database_url, keys_file=folder / "keys.json", demo=True, log_level="error",
        requests_a_minute=100_000, logins_a_minute=100_000,
    )  # fmt: skip
    database, keys = Database(database_url.get_secret_value()), KeyRing.read(settings.keys_file)
    north = add_authority(database, keys, "North")
    with database.write(north) as session:
        importing.take_in(Repository(session, keys), small_county, today(), user_id=None)
    for role in Role:
        add_user(database, keys, north, f"{role}@north.invalid", f"{role} {HOSTILE}", role)
        change_user(database, keys, f"{role}@north.invalid", password=PASSWORD)
    with database.read(north) as session:
        rows = Repository(session, keys)
        instance, references = rows.instance(today()), rows.references()
    pairs: list[tuple[str, str]] = []
    choice: tuple[str, list[str]] = ("", [])
    nobody = ""
    for child in sorted(instance.waiting, key=lambda one: references[one.id]):
        listed = shortlist(instance, child.id, top=MOST, rank_by="fit")
        choice = max(choice, (child.id, [one.volunteer for one in listed]), key=lambda one: len(one[1]))
        taken = {volunteer for _, volunteer in pairs}
        first = next((one.volunteer for one in listed if one.volunteer not in taken), None)
        if first:
            pairs.append((child.id, first))
        elif not listed:
            nobody = child.id
    database.close()

    app = create_app(settings)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield Site(
            f"http://127.0.0.1:{port}", app.state.kith, north, browser, pairs, choice, nobody, instance.volunteers[0].id
        )
        browser.close()
    server.should_exit = True
    thread.join()


AXE = """contrast => axe.run({resultTypes: ["violations"], rules: {"color-contrast": {enabled: contrast}}})
    .then(({violations}) => violations.map(one => `${one.id} ${one.nodes[0].html.slice(0, 120)}`))"""
DESK, TELEPHONE = 1280, 390

CUT_OFF = """() => [...document.querySelectorAll("body *")].filter(one => {
    const style = getComputedStyle(one);
    return one.clientWidth > 1 && one.scrollWidth > one.clientWidth + 1 && style.overflowX !== "visible"
        && style.overflowX !== "auto" && !["INPUT", "SELECT", "TEXTAREA"].includes(one.tagName);
}).map(one => one.outerHTML.slice(0, 120))"""
"""What hides a part of its own width."""


def faults(page: Page, address: str | None = None) -> list[str]:
    """What axe finds of a page on a desk and on a telephone, and how far it stands beyond the edge of a narrow window.

    Of 640 and of 320 pixels: a window of 1280 at 200% and at 400%; telephones are in between. Without an address: of
    the open page. Contrast is asked once, on the desk: it is half of the time, and no width has colours of its own.
    """
    page.set_viewport_size({"width": 1280, "height": 900})
    if address:
        page.goto(address)
    page.evaluate(Axe().axe_script)
    found = []
    for width in (DESK, TELEPHONE):
        page.set_viewport_size({"width": width, "height": 900})
        found += [f"{address or page.url} at {width}: {one}" for one in page.evaluate(AXE, width == DESK)]
    for width in (640, 320):
        page.set_viewport_size({"width": width, "height": 900})
        beyond = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if beyond > 0:
            found.append(f"{address or page.url}: {beyond} pixels too wide at {width}")
        found += [f"{address or page.url}: cut off at {width}: {one}" for one in page.evaluate(CUT_OFF)]
    return found

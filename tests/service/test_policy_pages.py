"""The pages of the policy: a draft as a form, what it would change before it is saved, and the versions."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import date
from html import unescape
from threading import Barrier, BrokenBarrierError, Event
from typing import Any

import pytest
from browser import HOSTILE, Site, faults
from conftest import Service
from httpx2 import Response
from sqlalchemy import select, text
from test_run_pages import run_once

from matcher.catalogue import CATALOGUE, load_policy, title_of
from matcher.instance import today
from matcher.pipeline import match
from matcher.policy_words import differences
from service import policies, runs
from service.api import policies as api_of_policies
from service.database import tables
from service.pages import policy as policy_pages
from service.pages.drafts import Draft, cited
from service.pages.reckoning import Reckoning
from service.permissions import Role
from service.repository import Repository

HTML = {"Accept": "text/html"}
NATIONAL = load_policy("national")
TOML = """name = "ours"
title = "Ours"
version = "{0}"
inherits = "national"
[scores.interests]
weight = 7{0}
source = "a test"
"""


def form(**changed: str | None) -> dict[str, str]:
    """What the form sends, with these fields changed, or left out where they are None; dots are written as __."""
    typed = {**Draft.of(NATIONAL, 1).typed, "base": "1"}
    for name, value in changed.items():
        if value is None:
            typed.pop(name.replace("__", "."), None)
        else:
            typed[name.replace("__", ".")] = value
    return typed


# ---- the form --------------------------------------------------------------------------------------------------------


def test_a_form_that_nobody_touched_makes_the_policy_that_it_shows() -> None:
    draft = Draft.read(NATIONAL, 1, form())
    assert draft.policy is not None
    assert differences(NATIONAL, draft.policy) == ()
    assert (draft.policy.name, draft.policy.version) == ("ours", "2")


def test_what_is_typed_is_what_the_policy_says() -> None:
    typed = form(scores__interests__weight="80", priorities__waiting_time__most_days="1,000",
                 scores__culture__when="always", rules__age_gap__on=None,
                 objective__minimum_fit="200")  # fmt: skip
    policy = Draft.read(NATIONAL, 1, typed).policy
    assert policy is not None
    assert policy.number("scores.interests.weight") == 80
    assert policy.number("priorities.waiting_time.most_days") == 1000
    assert policy.choice("scores.culture.when") == "always"
    assert (policy.on("rules.age_gap"), policy.minimum_fit) == (False, 200)
    assert policy.origins["scores.interests"] == "ours"
    assert policy.origins["scores.closeness"] == "national"


def test_a_core_rule_has_no_switch_whatever_is_sent() -> None:
    typed = {name: value for name, value in form().items() if not name.endswith(".on")}
    policy = Draft.read(NATIONAL, 1, {**typed, "rules.approved.on": "", "rules.child_agrees.on": "no"}).policy
    assert policy is not None
    assert all(policy.on(f"{entry.section}.{entry.id}") == entry.core for entry in CATALOGUE)


@pytest.mark.parametrize(
    ("name", "typed", "told"),
    [
        ("rules.travel.miles", "far", "“far” is not a whole number of miles. Type a whole number from 1 to 1,000."),
        ("rules.travel.miles", "", "Nothing is typed here. Type a whole number from 1 to 1,000."),
        ("rules.dbs_current.years", "4", "“4” is outside 1 to 3 years. Type a whole number from 1 to 3."),
        ("scores.interests.weight", "1.5", "“1.5” is not a whole number of points of weight. Type a whole number from "
         "0 to 1,000."),
        ("scores.culture.when", "often", "“often” is not one of always, if_requested, off. Choose one of the list."),
        ("objective.stability", "-1", "“-1” is outside 0 to 100000 points. Type a whole number from 0 to 100,000."),
        ("rules.references.professional", "3", "Professional = 3 is more than accepted = 2. Lower the one or raise "
         "the other."),
        ("title", "", "Give the policy a title, so that a plan can say which one it follows."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_beside_its_field(name: str, typed: str, told: str) -> None:
    draft = Draft.read(NATIONAL, 1, {**form(), name: typed})
    assert draft.policy is None
    assert draft.wrong == {name: told}
    fields = [*draft.aims, *(field for entry in draft.entries for field in entry.fields)]
    assert [(field.typed, field.wrong) for field in fields if field.wrong] == [(typed, told)] * (name != "title")


def test_an_entry_that_changes_says_since_when_and_keeps_its_source() -> None:
    policy = Draft.read(NATIONAL, 1, form(rules__age_gap__years="8")).policy
    assert policy is not None
    once = cited(policy, NATIONAL, date(2026, 11, 27))
    own = NATIONAL.source("rules.age_gap")
    assert once.source("rules.age_gap") == f"Decided on 27 November 2026, version 2. Until then: {own}"
    assert once.source("rules.travel") == NATIONAL.source("rules.travel")
    sections = {**once.sections, "rules": {**once.sections["rules"], "age_gap": {**once.sections["rules"]["age_gap"],
                                                                              "years": 9}}}  # fmt: skip
    twice = cited(replace(once, version="3", sections=sections), once, date(2027, 1, 2))
    assert twice.source("rules.age_gap") == f"Decided on 2 January 2027, version 3. Until then: {own}"


# ---- over HTTP -------------------------------------------------------------------------------------------------------


def test_the_parts_of_the_policy_are_listed_and_each_link_leads_into_what_it_opens(service: Service) -> None:
    page = service.as_(Role.COORDINATOR).get("/policy").text
    links = re.findall(r'href="#([^"]+)">([^<]+)</a>', page.partition('aria-label="Parts of the policy"')[2])
    folds = page.split('<details class="kith-fold"')[1:]
    assert [re.findall(r"<h2[^>]*>([^<]+?) <span", one)[0] for one in folds] == [title for _, title in links]
    assert all(f'id="{id}"' in one for (id, _), one in zip(links, folds, strict=True))


def test_pages_that_cite_sources_say_what_they_stand_for(service: Service) -> None:
    browser = service.as_(Role.MANAGER)
    _, volunteer = service.eligible_pair()
    for page in ("/policy", "/policy/draft", f"/volunteers/{volunteer}"):
        assert re.search(r"Sources: CA Children Act 1989.*; S Surrey policy;", browser.get(page).text), page


def test_a_draft_is_tried_before_it_is_saved_and_then_in_force(service: Service) -> None:
    """Who gains and who loses is what planning under both policies says."""
    typed = form(rules__travel__miles="8", priorities__no_parental_contact__points="0")
    with service.database.read(service.north) as session:
        rows = Repository(session, service.keys)
        instance, references = rows.instance(today()), rows.references()
    draft = Draft.read(NATIONAL, 1, typed).policy
    assert draft is not None
    before = dict(match(instance).pairs)
    after = dict(policies.try_out(instance, match(instance), draft).after.pairs)
    gains, loses = after.keys() - before.keys(), before.keys() - after.keys()
    assert loses
    browser = service.as_(Role.MANAGER)
    page = browser.post("/policy/draft", data=typed).text
    told = page.partition("Who gains")[2]
    sections = told.partition("Who loses")[0], told.partition("Who loses")[2].partition("a different volunteer")[0]
    for section, children in zip(sections, (gains, loses), strict=True):
        assert set(re.findall(r'href="/children/(\w+)"', section)) == children
        assert all(references[child] in section for child in children)
    assert "The policy in force allows a journey of 25 miles; the draft of eight miles." in page
    assert "Save it as version 2" in page
    assert "This is the first version" in browser.get("/policy/versions").text  # nothing is saved yet
    refused = browser.post("/policy", data={**typed, "reason": "  "}, headers=HTML)
    assert refused.status_code == 422
    assert "Say in 3 to 500 characters why the policy changes." in refused.text
    assert browser.post("/policy", data={**typed, "reason": "The panel decided."}).status_code == 200
    versions = browser.get("/policy/versions").text
    assert "Version 1 allows a journey of 25 miles; version 2 of eight miles." in versions
    assert "The panel decided." in versions
    assert "manager of north" in versions
    now = browser.get("/policy").text
    assert "within 8 miles" in now
    assert "version 2. Until then: Kith: S 8" in now
    assert "within 25 miles" in browser.get("/policy/versions/1").text
    assert browser.get("/policy/versions/3", headers=HTML).status_code == 404
    with service.database.read(service.north) as session:
        assert session.scalars(select(tables.Run)).one().reasons == ["policy changed"]
    log = service.as_(Role.AUDITOR).get("/log?days=0").text
    assert "Put a policy in force" in log
    assert "Opened what a draft of the policy would change" in log


def _as_sent(page: str) -> dict[str, str]:
    """What a browser sends of the form of a draft."""
    own = page.partition('action="/policy/draft"')[2].partition("</form>")[0]
    fields = re.findall(r'<input [^>]*name="([^"]+)"[^>]*value="([^"]*)"([^>]*)>', own)
    sent = {name: unescape(value) for name, value, rest in fields if not name.endswith(".on") or "checked" in rest}
    for name, options in re.findall(r'<select [^>]*name="([^"]+)"[^>]*>(.*?)</select>', own):
        sent[name] = unescape(re.findall(r'<option value="([^"]*)" selected>', options)[0])
    return sent


def test_an_earlier_version_is_put_in_force_again_by_way_of_a_draft(service: Service) -> None:
    manager = service.as_(Role.MANAGER)
    assert "Try this one again" not in manager.get("/policy/versions/1").text  # it is in force
    typed = form(rules__travel__miles="8", rules__minimum_age__on=None, scores__culture__when="always")
    saved = manager.post("/policy", data={**typed, "gone.minimum_age": "yes", "reason": "The panel decided."})
    assert saved.status_code == 200
    assert 'href="/policy/draft?again=1"' in manager.get("/policy/versions/1").text
    assert "Try this one again" not in service.as_(Role.COORDINATOR).get("/policy/versions/1").text
    page = service.as_(Role.MANAGER).get("/policy/draft?again=1").text
    assert "It begins with what version 1 said" in page
    sent = _as_sent(page)
    assert sent["base"] == "2"
    manager = service.as_(Role.MANAGER)
    assert "a journey of eight miles; the draft of 25 miles" in manager.post("/policy/draft", data=sent).text
    assert "Say in 3 to 500" in manager.post("/policy", data=sent, headers=HTML).text  # as of every draft
    assert manager.post("/policy", data={**sent, "reason": "It was better."}).status_code == 200
    with service.database.read(service.north) as session:
        row, policy = Repository(session, service.keys).policy()
    assert (row.number, differences(NATIONAL, policy)) == (3, ())
    assert manager.get("/policy/draft?again=9", headers=HTML).status_code == 404


def test_a_limit_that_an_earlier_version_did_not_know_is_as_now() -> None:
    sections = {**NATIONAL.sections, "rules": {**NATIONAL.sections["rules"], "travel": {"on": True, "source": "x"}}}
    draft = Draft.again(NATIONAL, 2, replace(NATIONAL, sections=sections))
    assert draft.typed["rules.travel.miles"] == Draft.of(NATIONAL, 2).typed["rules.travel.miles"] != ""


def test_a_rule_that_goes_is_set_apart_ticked_by_itself_and_named_in_the_log(service: Service) -> None:
    gone = {"rules__travel__on": None, "rules__minimum_age__on": None}
    browser, typed = service.as_(Role.MANAGER), {**form(**gone), "reason": "The panel decided."}  # type: ignore[arg-type]
    page = browser.post("/policy/draft", data=typed).text
    apart, _, besides = page.partition("Rules that would no longer be asked")[2].partition("</ul>")
    titles = [title_of(one, NATIONAL) for one in CATALOGUE if one.id in ("minimum_age", "travel")]
    assert all(title in unescape(apart) for title in titles)
    assert len(titles) == apart.count("<li>") == besides.count('name="gone.') == 2
    for ticked in ({}, {"gone.travel": "yes"}):
        refused = browser.post("/policy", data={**typed, **ticked}, headers=HTML)
        assert (refused.status_code, "Tick each rule" in refused.text) == (422, True)
        assert refused.text.count('value="yes" checked') == len(ticked)  # what was ticked is not lost
    every = {"gone.travel": "yes", "gone.minimum_age": "yes"}
    assert browser.post("/policy", data={**typed, **every}).status_code == 200
    log = service.as_(Role.AUDITOR).get("/log?days=0").text
    assert "rules that are no longer asked" in log
    with service.database.read(service.north) as session:
        entry = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.action == "policy in force")).one()
    assert entry.details["no longer asked"] == ["minimum_age", "travel"]


def test_what_the_last_run_found_is_not_searched_for_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, typed = service.as_(Role.MANAGER), form(rules__travel__miles="8")
    searched = browser.post("/policy/draft", data=typed).text
    run_once(service.database, service.keys, service.north)
    monkeypatch.setattr(Reckoning, "plan", property(lambda _: pytest.fail("searched for")))
    another = {**typed, "title": "Another draft"}  # or what was worked out for the first would be told again
    assert told(browser.post("/policy/draft", data=another).text) == told(searched)


def test_a_preview_that_takes_its_time_is_asked_for_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large authority's plan takes seconds: the page says so at once, keeps what was typed, and has it later."""
    go, asked, really = Event(), [], policies.try_out
    monkeypatch.setattr(policy_pages, "PATIENCE", 0.01)

    def slowly(*given: Any) -> policies.Tried:
        asked.append(given)
        assert go.wait(60)
        return really(*given)

    monkeypatch.setattr(policies, "try_out", slowly)
    browser, typed = service.as_(Role.MANAGER), {**form(rules__travel__miles="8"), "reason": "Half a thought"}
    for _ in range(2):
        page = browser.post("/policy/draft", data=typed).text
        assert "The plan under the draft is being worked out" in page
        assert "allows a journey of 25 miles; the draft of eight miles." in page
        assert 'name="rules.travel.miles" value="8"' in page
        assert 'name="reason" value="Half a thought"' in page
        assert "Look again" in page
        assert "Save and put in force" not in page
    go.set()
    monkeypatch.setattr(policy_pages, "PATIENCE", 60)
    page = browser.post("/policy/draft", data=typed).text
    assert "Who loses" in page
    assert "Half a thought</textarea>" in page
    assert "Save and put in force" in page
    assert len(asked) == 1  # however often it was asked for


def told(page: str) -> str:
    """What a preview says, without nonces and tokens."""
    return page.partition("<h1")[2].partition("<form")[0]


def test_who_comes_second_sees_the_new_version_and_loses_nothing_typed(service: Service) -> None:
    first, second = service.as_(Role.MANAGER), service.as_(Role.MANAGER)
    first.post("/policy", data={**form(rules__travel__miles="20"), "reason": "The first one."})
    late = {**form(scores__interests__weight="77"), "reason": "The second one."}
    answer = second.post("/policy", data=late, headers=HTML)
    assert answer.status_code == 409
    assert "Somebody put another version in force meanwhile." in answer.text
    assert "The second one." in answer.text
    assert 'name="scores.interests.weight" value="77"' in answer.text
    assert 'name="base" value="2"' in answer.text
    assert "The policy in force allows a journey of 20 miles; the draft of 25 miles." in answer.text
    assert "version 3" not in second.get("/policy/versions").text.lower()


@pytest.mark.parametrize("door", ["page", "program"])
def test_of_two_who_save_at_the_same_moment_the_second_is_told(
    service: Service, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    """Each is stopped between the look at what is in force and the next version, until the other is there as well."""
    both, real = Barrier(2), policies.add_version

    def meeting(*given: Any, **named: Any) -> tables.Policy:
        with suppress(BrokenBarrierError):  # the other waits, as it should
            both.wait(1)
        return real(*given, **named)

    monkeypatch.setattr(policies, "add_version", meeting)
    monkeypatch.setattr(api_of_policies, "add_version", meeting)
    people = [service.as_(Role.MANAGER) for _ in range(2)]
    tag = {"If-Match": people[0].get("/api/v1/policies/current").headers["ETag"]}

    def save(number: int) -> Response:
        reason = f"The one of manager {number}."
        if door == "program":
            draft = {"toml": TOML.format(number), "reason": reason}
            return people[number].post("/api/v1/policies", json=draft, headers=tag)
        typed = {**form(scores__interests__weight=f"7{number}"), "reason": reason}
        return people[number].post("/policy", data=typed, headers=HTML)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(save, range(2)))
    codes = [one.status_code for one in answers]
    assert sorted(codes) == ([200, 409] if door == "page" else [201, 412])
    second = codes.index(max(codes))
    if door == "page":
        assert "Somebody put another version in force" in answers[second].text
        assert f"The one of manager {second}." in answers[second].text
        assert f'name="scores.interests.weight" value="7{second}"' in answers[second].text
    with service.database.read(service.north) as session:
        assert [row.number for row in policies.versions(session)] == [2, 1]


def test_who_asks_for_a_run_meanwhile_does_not_wait_for_who_saves(service: Service) -> None:
    """A run refers to the authority, whose row is held until the next version is in force."""
    if service.database.sqlite:
        return  # one writer at a time
    with service.database.write(service.north) as saving:
        policies.held_in_force(Repository(saving, service.keys))
        with service.database.write(service.north) as asking:
            asking.execute(text("SET LOCAL lock_timeout = '2s'"))
            runs.ask_for(asking, service.north, "manual")


def test_who_may_not_save_may_try_and_is_told_so(service: Service) -> None:
    typed = form(rules__travel__miles="8")
    page = service.as_(Role.COORDINATOR).post("/policy/draft", data=typed).text
    assert "Saving it is for a manager." in page
    assert "Save and put in force" not in page
    assert service.as_(Role.COORDINATOR).post("/policy", data=typed).status_code == 403
    page = service.as_(Role.ANALYST).post("/policy/draft", data=typed).text
    assert "Which children they are is shown to those who may see references." in page
    with service.database.read(service.north) as session:
        known = Repository(session, service.keys).references()
    assert not any(id in page or f">{reference}<" in page for id, reference in known.items())


def test_a_draft_that_changes_nothing_cannot_be_saved(service: Service) -> None:
    browser = service.as_(Role.MANAGER)
    assert "the draft decides like the policy in force" in browser.post("/policy/draft", data=form()).text
    answer = browser.post("/policy", data={**form(), "reason": "For no reason."}, headers=HTML)
    assert answer.status_code == 422
    assert "Change it first." in answer.text


# ---- in a browser ----------------------------------------------------------------------------------------------------


def test_from_the_policy_to_the_next_version(site: Site) -> None:
    """By links and forms alone; then each page as axe and a phone see it."""
    page = site.page(Role.MANAGER, script=False)
    page.get_by_role("link", name="Policy").click()
    page.get_by_role("button", name="Try a change").click()
    page.get_by_label("Weight").first.fill(HOSTILE[:90])
    page.get_by_label("What the policy is called").fill(HOSTILE[:90])
    page.get_by_role("button", name="See what it would change").click()
    assert "is not a whole number" in page.inner_text(".govuk-error-summary")
    assert page.get_by_label("Weight").first.input_value() == HOSTILE[:90]
    page.get_by_label("Weight").first.fill("90")
    page.get_by_text("Rules about the two together").click()
    page.get_by_label("Miles").last.fill("7")
    page.get_by_role("button", name="See what it would change").click()
    assert "What the draft would change" in page.inner_text("h1")
    page.get_by_role("button", name="Change the draft").click()
    page.get_by_role("button", name="See what it would change").click()
    page.get_by_label("Why does the policy change?").fill(HOSTILE)
    page.get_by_role("button", name="Save and put in force").click()
    assert HOSTILE in page.inner_text("table")
    page = site.page(Role.MANAGER)
    found = []
    for path in (
        "/policy",
        "/policy/draft",
        "/policy/draft?again=1",
        "/policy/versions",
        "/policy/versions/1",
        "/policy/versions?one=2&other=2",
    ):
        found += faults(page, site.at + path)
        assert page.evaluate("window.ran") is None
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{site.at}/policy/draft")
    weight = page.get_by_label("Weight").first
    weight.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("many")
    page.keyboard.press("Enter")
    page.locator(".govuk-error-summary").wait_for()
    found += faults(page)
    page.get_by_role("link", name=re.compile("is not a whole number")).press("Enter")
    assert page.evaluate("document.activeElement.id") == "scores.interests.weight"
    page.keyboard.press("Control+A")
    page.keyboard.type("10")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Who gains").wait_for()
    found += faults(page)
    page.get_by_role("button", name="Save and put in force").click()
    page.locator(".govuk-error-summary").wait_for()
    found += faults(page)
    page = site.page(Role.ANALYST)
    found += faults(page, f"{site.at}/policy")
    assert found == []


def test_a_browser_shows_the_preview_as_soon_as_it_is_there(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    go, really = Event(), policies.try_out
    monkeypatch.setattr(policy_pages, "PATIENCE", 0.01)
    monkeypatch.setattr(policies, "try_out", lambda *given: really(*given) if go.wait(60) else pytest.fail("never"))
    page = site.page(Role.MANAGER)
    page.goto(f"{site.at}/policy/draft")
    page.get_by_label("Weight").first.fill("11")
    page.get_by_role("button", name="See what it would change").click()
    page.get_by_role("heading", name="is being worked out").wait_for()
    found = faults(page)
    go.set()
    page.get_by_role("heading", name="Who gains").wait_for()  # nobody pressed anything
    assert found == []

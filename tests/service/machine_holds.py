"""What must hold after whatever anybody did, and how the machine asks the service as somebody.

Beside the service the machine keeps a short list of its own of what people said: who said no to whom, which children
want no visitor, who was stopped, held, linked, erased. The service is held against that list and against
`machine_rules`, after every single action.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from conftest import Service
from fastapi.testclient import TestClient
from httpx2 import Response
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant
from machine_rules import ABOUT_VOLUNTEER, BEFORE, CORE, GOES_ON, HELD, LIVE, STOPPED, Now, broken, read
from set_back import Backups
from sqlalchemy import func, select

from matcher.instance import today
from service import audit_log
from service.api.deps import Installation
from service.database import tables
from service.errors import TOO_LATE
from service.permissions import MAY, Permission, Role

API = "/api/v1"
CHILD_ID = re.compile(r"\bC[2-9BCDFGHJKMNPQRSTVWXYZ]{11}\b")
ANY_ID = re.compile(r"\b[A-Z][2-9BCDFGHJKMNPQRSTVWXYZ]{11}\b")
MATCH_ID = re.compile(r"/proposals/(M[2-9BCDFGHJKMNPQRSTVWXYZ]{11})")
ALARM = re.compile(r"a core rule no longer holds</h3>(.*?)</section>", re.S)
ASKS = re.compile(r"/check$")
"""Posted, and only read."""


class Holds(RuleBasedStateMachine):
    service: Service
    backups: Backups
    beginning: Path
    """A backup from before anything was done."""
    clock: Any
    """The day that the service takes for today: `forward` moves it."""
    seen: Counter[str]

    @initialize()
    def a_service_as_it_was_set_up(self) -> None:
        self.clock.reset()
        self.word: dict[str, str | None] = {}
        """What each child said last to a visitor, whichever."""
        self.noes: set[tuple[str, str]] = set()
        """Child and volunteer of whom somebody said no, or of whom it is over."""
        self.childs_noes: set[tuple[str, str]] = set()
        self.confirmed: set[tuple[str, str]] = set()
        """Pairs of these that a manager confirmed in a file all the same."""
        self.to_ask: set[str] = set()
        """Matches whose child does not feel safe, or of whose volunteer there was a concern, until the child has said
        that the visits are to go on."""
        self.stopped: set[str] = set()
        self.held: set[str] = set()
        self.linked: list[set[str]] = []
        self.withdrawn: set[str] = set()
        self.erased: dict[str, str] = {}
        """Who was erased and has not come back, by the reference of then."""
        self.committed: dict[str, int] = {}
        """What of each budget is spent, in pence: as it was set, and what was appointed since."""
        self.added: dict[str, tuple[str, int]] = {}
        """What each appointment added to whose budget since somebody told it, by match."""
        self.stood: dict[str, list[tuple[object, ...]]] = {}
        """How each match stood, step by step, as far as each could be taken back."""
        self.shown: list[dict[str, Any]] = []
        self.last: tuple[int, str] | None = None
        self.backups.set_back()
        self.begun_anew()
        now = self.now()
        self.word = {id: child.facts["agrees"] for id, child in now.children.items()}
        self.noes = {(one.child, one.volunteer) for one in now.matches.values() if one.state == "ended"}
        self.committed = {code: spent for code, (_, spent) in now.budgets.items()}

    # ---- asking ------------------------------------------------------------------------------------------------------

    @property
    def where(self) -> str:
        return self.service.south

    def now(self) -> Now:
        with self.service.database.read(self.where) as session:
            return read(session, self.service.keys, self.where, today())

    def browser(self, role: Role) -> TestClient:
        if role not in self.browsers:
            self.browsers[role] = self.service.as_(role, "south")
        return self.browsers[role]

    def ask(self, role: Role, method: str, path: str, **given: Any) -> Response:
        """An answer of the service, held against what holds of every answer."""
        before = self._last_entry()
        answer = self.browser(role).request(method, path, follow_redirects=False, **given)
        self.seen[f"{method} {ANY_ID.sub('*', path).partition('?')[0]} {answer.status_code}"] += 1
        assert answer.status_code < 500, f"{method} {path} as {role}: {answer.text[:500]}"
        assert answer.status_code not in (401, 429)
        assert TOO_LATE not in answer.text, f"{method} {path}: there is nobody else, and the database refused it"
        entries = self._entries_since(before)
        if answer.status_code < 400 and (method == "GET" or (answer.is_success and ASKS.search(path))):
            told = {id for one in entries for id in CHILD_ID.findall(f"{one.subject} {one.details}")}
            named = {id for id in CHILD_ID.findall(answer.text) if id in self.known}
            assert named <= told, f"{path} as {role} names {named - told}, and the log does not say so"
        elif answer.status_code < 400:
            by = self.service.users["south", role]
            assert any(one.actor == by for one in entries), f"{method} {path} as {role} is not in the log"
        if Permission.IDENTIFY not in MAY[role]:
            named = {one for one in self.known.values() if one in answer.text}
            assert not named, f"{path} tells {role} the references {named}"
        return answer

    def later(self, days: int) -> None:
        """Whoever was logged in logs in again."""
        self.clock.forward(days)
        self.browsers = {}

    def change(self, role: Role, method: str, path: str, body: dict[str, Any], version: object = None) -> Response:
        """With the version that the path has now, unless another is given."""
        tag = version if version is not None else self._version_of(path)
        return self.ask(role, method, path, json=body, headers={"If-Match": f'"{tag}"'})

    def _version_of(self, path: str) -> object:
        id, now = ANY_ID.search(path), self.now()
        for kind in (now.children, now.volunteers, now.matches):
            if id and id[0] in kind:
                return kind[id[0]].version
        return 1

    def _last_entry(self) -> int:
        with self.service.database.read(self.where) as session:
            query = select(func.max(tables.AuditEvent.number)).where(tables.AuditEvent.chain == self.where)
            return session.scalar(query) or 0

    def _entries_since(self, number: int) -> list[tables.AuditEvent]:
        own = tables.AuditEvent.chain == self.where, tables.AuditEvent.number > number
        with self.service.database.read(self.where) as session:
            return list(session.scalars(select(tables.AuditEvent).where(*own)))

    def put_back(self, backup: Path) -> None:
        self.backups.put_back(backup)
        self.begun_anew()
        self.seen["restored"] += 1
        self.after_a_restore()

    def begun_anew(self) -> None:
        """What a process of the service remembers is gone, as after a restart."""
        app: Any = self.service.client.app
        app.state.kith = Installation(self.service.settings, self.service.database, self.service.keys)
        app.middleware_stack = None
        self.browsers: dict[Role, TestClient] = {}
        self.last = None
        now = self.now()
        self.known = {one.id: one.reference for kind in (now.children, now.volunteers) for one in kind.values()}

    # ---- what holds --------------------------------------------------------------------------------------------------

    @invariant()
    def what_must_hold(self) -> None:
        now = self.now()
        self.known |= {one.id: one.reference for kind in (now.children, now.volunteers) for one in kind.values()}
        self._version_rises(now)
        self.watch(now)
        for match in now.matches.values():
            self.seen[f"a match is {match.state}"] += 1
            self._of_a_match(now, match)
        self._one_visitor_each(now)
        self._siblings_apart(now)
        self._what_people_said(now)
        self._money(now)
        self._told_on_today(now)

    def _version_rises(self, now: Now) -> None:
        content = now.read_by_matching
        if self.last is not None and self.last[1] != content:
            assert now.version > self.last[0], "what matching reads is another, and its version is not"
        self.last = now.version, content

    def _of_a_match(self, now: Now, match: Any) -> None:
        child, volunteer = now.children[match.child], now.volunteers[match.volunteer]
        pair = match.child, match.volunteer
        assert (match.state in LIVE) == (match.place is not None)
        if match.state in LIVE:
            assert (child.objects, child.facts["agrees"] == "no") == (False, False), "a child who said no has a match"
            assert pair not in self.noes - self.confirmed, f"{match.state} again, and somebody said no to it"
            assert pair not in self.childs_noes, f"{match.state} again, and the child said no to it"
            assert match.id not in self.to_ask or match.state == "paused", f"{match.state}, and the child was not asked"
        if volunteer.status in STOPPED:
            assert match.state not in (*BEFORE, *GOES_ON), f"{match.state}, and the volunteer is {volunteer.status}"
        if volunteer.status not in ("approved", *STOPPED):
            assert match.state not in BEFORE or pair in self.confirmed
        for on in (match.started_on, match.ended_on):
            assert on is None or on <= now.day, f"a match of a day to come: {on}"
        if match.started_on and match.ended_on:
            assert match.started_on <= match.ended_on, "it ended before it began"

    def _one_visitor_each(self, now: Now) -> None:
        live = now.live()
        of_child = Counter(match.child for match in live)
        assert all(number == 1 for number in of_child.values()), "a child has two live matches"
        for id, number in Counter(match.volunteer for match in live).items():
            assert number <= now.volunteers[id].capacity, "more children than places"
        for id, volunteer in now.volunteers.items():
            taken = sum(match.volunteer == id for match in live)
            assert volunteer.capacity == max(now.allowed(id), taken), "places that nobody allows, or fewer than allowed"

    def _siblings_apart(self, now: Now) -> None:
        by: dict[tuple[str, str], list[Any]] = {}
        for match in now.matches.values():
            if match.state in HELD:
                by.setdefault((match.volunteer, now.children[match.child].family), []).append(match)
        for several in by.values():
            if len({match.child for match in several}) > 1:
                assert sum(not match.irregular for match in several) <= 1, "siblings share a volunteer, unmarked"
        for one in self.linked:
            assert len({now.children[id].family for id in one if id in now.children}) <= 1, "siblings taken apart"

    def _what_people_said(self, now: Now) -> None:
        for id, word in self.word.items():
            if word == "no":
                assert now.children[id].objects, "a child's no is lost"
            if word == "not asked":
                assert now.children[id].facts["agrees"] != "yes", "that a child is to be asked again is lost"
        for id in self.stopped:
            assert now.volunteers[id].status in STOPPED, f"{now.volunteers[id].status}, and nobody took them back"
        for id in self.held:
            assert now.children[id].facts["safeguarding_issue"] is True, "a hold is lost"
        for id in self.erased.values():
            one = now.children.get(id) or now.volunteers.get(id)
            assert one is not None
            assert one.reference.startswith("erased"), "somebody erased is back"
        with self.service.database.read(self.where) as session:
            table = tables.RecordedException
            in_force = {*session.scalars(select(table.id).where(table.withdrawn_on.is_(None)))}
        assert not in_force & self.withdrawn, "an exception that was withdrawn is in force again"

    def _money(self, now: Now) -> None:
        for code, (_, spent) in now.budgets.items():
            assert abs(spent - self.committed.get(code, spent)) <= 20, f"{spent} committed, not {self.committed[code]}"

    def _told_on_today(self, now: Now) -> None:
        """Each live match that breaks a core rule by now, but for paused ones, and nobody else."""
        wrong = set()
        for match in now.live():
            asks = CORE if now.children[match.child].referral else ABOUT_VOLUNTEER | {"sibling_history"}
            if match.state != "paused" and broken(now, match.child, match.volunteer, match.id) & asks:
                wrong.add(match.id)
        page = self.ask(Role.COORDINATOR, "GET", "/").text
        section = ALARM.search(page)
        told = set(MATCH_ID.findall(section[1])) if section else set()
        if wrong != told:
            one = now.matches[next(iter(wrong ^ told))]
            rules = broken(now, one.child, one.volunteer, one.id)
            raise AssertionError(f"Today tells of {told}, not of {wrong}: one is {one.state} and breaks {rules}")

    def teardown(self) -> None:
        """On PostgreSQL, where sequences are few, each ends with a restore: no word of any is lost by it."""
        if not self.service.database.sqlite:
            self.put_back(self.beginning)
            self.what_must_hold()
        with self.service.database.read(self.where) as session:
            assert audit_log.verify(session, self.service.keys).problem is None

    # ---- what the machine remembers of what it did -------------------------------------------------------------------

    def watch(self, now: Now) -> None:
        """How matches stand by now, where a step may have changed it."""
        for match in now.matches.values():
            before, stands = self.stood.setdefault(match.id, []), how_it_stands(match)
            if before[-1:] != [stands]:
                before.append(stands)

    def forget_how_matches_stood(self, before: Now | None = None) -> None:
        """Of those that a file or a restore may have changed, since when no step led to how they are."""
        for match in self.now().matches.values():
            was = before.matches.get(match.id) if before else None
            if was is None or how_it_stands(was) != how_it_stands(match):
                self.stood[match.id] = [how_it_stands(match)]

    def remember_step(self, match: Any, step: str, by: str, reason: str | None, code: str, cost: int) -> None:
        pair = match.child, match.volunteer
        if step.endswith("_declines") or step == "end":
            self.noes.add(pair)
            self.confirmed.discard(pair)
        if step == "child_declines":
            self.childs_noes.add(pair)
        if step == "child_resumes":
            self.to_ask.discard(match.id)
        if step == "appoint" and code in self.committed:
            self.committed[code] += cost
            self.added[match.id] = code, cost
        said = reason or ""
        if "objects to any visitor" in said:
            self.word[match.child] = "no"
        elif "does not want a visitor now" in said:
            self.word[match.child] = "not asked"
        elif said in ("safeguarding concern about the child", "serious concern about the child"):
            self.held.add(match.child)
        elif said in ("does not feel safe with this visitor", "safeguarding concern about the volunteer",
                      "a concern about the volunteer", "serious concern about the volunteer",
                      "boundaries not kept"):  # fmt: skip
            self.stopped.add(match.volunteer)
            self.to_ask.add(match.id)
            over, child = step.endswith("_declines") or step == "end", self.now().children[match.child]
            if over and child.referral and self.word.get(match.child) != "no":
                self.word[match.child] = "not asked"
            self.remember_concern(match.volunteer)

    def remember_concern(self, volunteer: str) -> None:
        """Whose visits are paused by now are asked, whatever they were paused for before."""
        self.to_ask |= {one.id for one in self.now().live(volunteer=volunteer) if one.state == "paused"}

    def after_a_restore(self) -> None:
        """What was said stays said of whoever is still there, and of nobody else."""
        now = self.now()
        there = {*now.children, *now.volunteers}
        firm = ("no", "not asked")
        self.word = {id: self.word.get(id) if self.word.get(id) in firm else child.facts["agrees"]
                     for id, child in now.children.items()}  # fmt: skip
        both = {pair for pair in self.noes if set(pair) <= there}
        self.noes, self.childs_noes = both, {pair for pair in self.childs_noes if set(pair) <= there}
        self.stopped = {id for id in self.stopped if id in there} | {
            id for id, one in now.volunteers.items() if one.status in STOPPED
        }
        self.held = {id for id in self.held if id in there}
        self.linked = [{id for id in one if id in there} for one in self.linked]
        with self.service.database.read(self.where) as session:
            self.withdrawn &= {*session.scalars(select(tables.RecordedException.id))}
        self.erased = {reference: id for reference, id in self.erased.items() if id in there}
        self.committed, self.added = {code: spent for code, (_, spent) in now.budgets.items()}, {}
        self.stood = {}
        self.forget_how_matches_stood()


def how_it_stands(match: Any) -> tuple[object, ...]:
    return match.state, match.since, match.started_on, match.ended_on


def written(on: date | None) -> str:
    return f"{on:%d/%m/%Y}" if on else ""


def years_ago(years: int, days: int = 0) -> date:
    now = today() + timedelta(days=days)
    return now.replace(year=now.year - years, day=min(now.day, 28))

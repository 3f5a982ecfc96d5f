"""What people do over months, drawn at random: every role, every door, every reason, in whichever order.

Besides what is in `machine_people`: proposals and their steps, exceptions, money, policies, runs, files, time, backups.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from httpx2 import Response
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from machine_holds import API, how_it_stands, written, years_ago
from machine_people import ANYBODY, DESK, OF_CHILDREN, WHICH, People, child_facts
from machine_rules import ABOUT_VOLUNTEER, BEFORE, CORE, LIVE, STOPPED, Now, broken, cost_of

from matcher.instance import today
from service import notes, plans, runs, workflow
from service.database.base import utc_now
from service.permissions import MAY, Permission, Role
from service.reasons import PROPOSE_REASONS

FORWARD = tuple(step for step in workflow.STEPS if not step.final)
FINAL = tuple(step for step in workflow.STEPS if step.final)
LIMITS = (
    "[constraints.capacity]\nchildren = 2\n", "[rules.dbs_current]\nyears = 1\n", "[rules.age_gap]\nyears = 20\n",
    "[rules.references]\naccepted = 3\n", '[rules.still_looked_after]\nafter_care = "if_agreed"\n', "", "",
)  # fmt: skip


def _sheet(first: str, rows: dict[str, dict[str, str]]) -> str:
    """As CSV: a line a reference, a column a fact."""
    names = list(dict.fromkeys(name for facts in rows.values() for name in facts))
    lines = [
        [first, *names],
        *([reference, *(facts.get(name, "") for name in names)] for reference, facts in rows.items()),
    ]
    return "".join(",".join(line) + "\n" for line in lines)


class Acts(People):
    # ---- proposals ---------------------------------------------------------------------------------------------------

    @rule(role=ANYBODY, which=WHICH, rank_by=st.sampled_from(["fit", "fit", "plan"]), top=st.sampled_from([3, 50]))
    def a_shortlist_is_shown(self, role: Role, which: int, rank_by: str, top: int) -> None:
        self._look(role, self.child(which, self.now()), rank_by, top)

    def _look(self, role: Role, child: Any, rank_by: str, top: int) -> None:
        now = self.now()
        path = f"{API}/children/{child.id}/shortlist?top={top}&rank_by={rank_by}"
        answer = self.ask(role, "GET", path)
        if not self.may(role, answer, Permission.READ) or answer.status_code != 200:
            return
        listed = [one["volunteer"] for one in answer.json()["shortlist"]]
        for id in listed:
            assert not (wrong := broken(now, child.id, id)), f"a shortlist has somebody against {wrong}"
            assert (child.id, id) not in self.noes - self.confirmed, "a shortlist has somebody to whom somebody said no"
        if listed:
            self.shown.append({"role": role, "served": answer.json()["served"], "child": child.id, "listed": listed})

    @precondition(lambda self: self.shown)
    @rule(role=ANYBODY, which=WHICH, place=st.integers(0, 5), reason=st.sampled_from(PROPOSE_REASONS))
    def somebody_is_proposed(self, role: Role, which: int, place: int, reason: str) -> None:
        """From a list of whenever, shown to whomever."""
        self._propose(self.shown[-1 - which % len(self.shown)], role, place, reason)

    def _propose(self, shown: dict[str, Any], role: Role, place: int, reason: str) -> None:
        now = self.now()
        child, volunteer = shown["child"], shown["listed"][place % len(shown["listed"])]
        body = {"served": shown["served"], "volunteer": volunteer, "reason": reason}
        answer = self.ask(role, "POST", f"{API}/proposals", json=body)
        if not self.may(role, answer, Permission.DECIDE) or answer.status_code != 201:
            return
        assert shown["role"] is role, "somebody chose from what another was shown"
        assert not (wrong := broken(now, child, volunteer)), f"proposed against {wrong}"
        assert len(now.live(volunteer=volunteer)) < now.allowed(volunteer), "proposed to more children than allowed"
        after = self.now()
        payer = now.children[child].facts["responsible_authority"]
        promised = sum(
            cost_of(after, one.child, one.volunteer)
            for one in after.live()
            if one.state in BEFORE and after.children[one.child].facts["responsible_authority"] == payer
        )
        if cost_of(after, child, volunteer):
            budget, spent = after.budgets[payer]
            assert budget is not None
            assert spent + promised <= budget + 10, "more is promised than there is"

    @rule(role=DESK, which=WHICH, steps=st.integers(1, 8))
    def a_child_is_led_on(self, role: Role, which: int, steps: int) -> None:
        """A proposal if there is none, then one step after another as they come, with days between them."""
        child = self.child(which, self.now())
        if not self.now().live(child=child.id):
            before = len(self.shown)
            self._look(role, child, "fit", 3)
            if len(self.shown) > before:
                self._propose(self.shown[-1], role, 0, "first on the shortlist")
        for _ in range(steps):
            live = self.now().live(child=child.id)
            step = next((one for one in FORWARD if live and live[0].state in one.starts), None)
            if step is None or self.take(role, live[0], step, step.by[0], None, None).status_code != 200:
                return
            self.later(2)

    @rule(
        role=ANYBODY, which=WHICH, step=st.sampled_from(FORWARD),
        days_ago=st.sampled_from([None, None, None, 1, 40, 400]),
    )  # fmt: skip
    def a_step_forward(self, role: Role, which: int, step: workflow.Step, days_ago: int | None) -> None:
        match = self.match(which, self.now())
        if match is not None:
            possible = [one for one in FORWARD if match.state in one.starts]
            step = possible[0] if possible and which % 3 else step
            self.take(role, match, step, step.by[0], None, days_ago)

    @rule(role=ANYBODY, which=WHICH, data=st.data(), days_ago=st.sampled_from([None, None, 1, 40]), stale=st.booleans())
    def somebody_says_no(self, role: Role, which: int, data: st.DataObject, days_ago: int | None, stale: bool) -> None:
        match = self.match(which, self.now())
        if match is None:
            return
        possible = [one for one in FINAL if match.state in one.starts] or list(FINAL)
        step = data.draw(st.sampled_from(possible))
        by = data.draw(st.sampled_from(step.by))
        reason = data.draw(st.sampled_from(step.reasons_of(by)))
        answer = self.take(role, match, step, by, reason, days_ago, stale=stale)
        if match.state in step.starts and Permission.DECIDE in MAY[role] and days_ago is None:
            assert answer.status_code == 200, f"{step.id} of what is {match.state} was refused: {answer.text}"

    @rule(role=ANYBODY, which=WHICH, by=st.sampled_from(notes.BY))
    def something_is_noted(self, role: Role, which: int, by: str) -> None:
        """Of whatever is there, and nothing comes of it."""
        match = self.match(which, self.now())
        if match is not None:
            body = {"by": by, "on": today().isoformat(), "note": "Not yet."}
            self.may(role, self.ask(role, "POST", f"{API}/matches/{match.id}/notes", json=body), Permission.DECIDE)
            after = self.now().matches[match.id]
            assert (how_it_stands(after), after.version) == (how_it_stands(match), match.version)

    @rule(role=ANYBODY, which=WHICH, over=st.booleans(), stale=st.booleans(), put_right=st.booleans())
    def the_last_step_was_a_mistake(self, role: Role, which: int, over: bool, stale: bool, put_right: bool) -> None:
        """It stands again as it stood before, or it is refused; a no of anybody else is not touched by it."""
        now = self.now()
        some = [one for one in now.matches.values() if (one.state not in LIVE) is over]
        if not some:
            return
        some.sort(key=lambda one: (len(self.stood[one.id]) == 1, one.id))  # those with a story come first
        match = some[which % len(some)]
        if put_right:
            self._put_right(now.children[match.child], now.volunteers[match.volunteer], which, which)
            now = self.now()
            match = now.matches[match.id]
        pair, stood = (match.child, match.volunteer), self.stood[match.id]
        path, no = f"{API}/matches/{match.id}", match.state in ("declined", "withdrawn", "paused", "ended")
        version = match.version - stale
        answer = self.change(role, "POST", f"{path}/take-back", {"reason": "it was somebody else"}, version)
        if not self.may(role, answer, Permission.DECIDE):
            return
        known = len(stood) > 1
        if known and not no and not stale:
            assert answer.status_code == 200, f"what is {match.state} is not taken back: {answer.text}"
        if answer.status_code != 200:
            assert how_it_stands(self.now().matches[match.id]) == how_it_stands(match)
            return
        assert not stale, "somebody took back what they had not seen"
        assert not no or role is Role.MANAGER, "a no is taken back by a coordinator"
        after = self.now()
        stands = after.matches[match.id]
        if match.id in self.to_ask:
            assert (stands.state, match.state in ("ended", "paused")) == ("paused", True), (
                "visits go on, and the child was not asked"
            )
        else:
            assert not known or how_it_stands(stands) == stood[-2]
        self.stood[match.id] = stood[:-1] if known else [how_it_stands(stands)]
        if no:
            wrong = broken(after, *pair, match.id)
            asked = wrong & CORE if match.state == "paused" else wrong
            asked = set() if stands.state == match.state else asked  # another reason for a pause that goes on
            assert not asked, f"{stands.state} again against {asked}"
        if match.state in ("declined", "ended"):
            self.noes.discard(pair)
        if match.state == "declined":
            self.childs_noes.discard(pair)
        if stands.state == "agreed" and match.state == "appointed" and match.id in self.added:
            code, cost = self.added.pop(match.id)
            self.committed[code] -= cost
        self.seen[f"{match.state} was a mistake"] += 1

    def take(
        self, role: Role, match: Any, step: workflow.Step, by: str, reason: str | None, days_ago: int | None,
        *, stale: bool = False,
    ) -> Response:  # fmt: skip
        now = self.now()
        at = None if days_ago is None else (utc_now() - timedelta(days=days_ago)).isoformat()
        reason = reason or (step.reasons[0] if step.in_words else None)
        note = "Yes, she would like it." if step.in_words else None
        body = {"step": step.id, "by": by, "reason": reason, "note": note, "at": at}
        path = f"{API}/matches/{match.id}"
        cost = cost_of(now, match.child, match.volunteer) if now.children[match.child].referral else 0
        payer = now.children[match.child].facts["responsible_authority"]
        answer = self.change(role, "POST", f"{path}/steps", body, match.version - 1 if stale else None)
        if not self.may(role, answer, Permission.DECIDE) or answer.status_code != 200:
            return answer
        if not step.final:
            wrong = broken(now, match.child, match.volunteer, match.id)
            asked = {workflow.Rules.ALL: wrong, workflow.Rules.CORE: wrong & CORE, workflow.Rules.NONE: set()}
            assert not asked[step.rules], f"{step.id} against {asked[step.rules]}"
            assert match.state in step.starts
        if step.id == "child_agrees":
            assert utc_now() - match.since >= timedelta(hours=24), "the child had no day to think it over"
        self.remember_step(match, step.id, by, reason, payer, cost)
        self.watch(self.now())
        if step.to == match.state:  # another reason for a pause: it stands as it stood, and is taken back all the same
            self.stood[match.id].append(how_it_stands(match))
        if self.now().matches[match.id].state not in LIVE and now.children[match.child].referral:
            self._look(role, now.children[match.child], "fit", 50)  # whoever said no, the child is back on the list
        return answer

    # ---- what managers allow -----------------------------------------------------------------------------------------

    @rule(
        role=ANYBODY, which=WHICH, whom=WHICH,
        kind=st.sampled_from([("second child", 2), ("relative as visitor", None), ("shorter commitment", 6)]),
    )  # fmt: skip
    def an_exception_is_allowed(self, role: Role, which: int, whom: int, kind: tuple[str, int | None]) -> None:
        now = self.now()
        child = self.child(whom, now).id if kind[1] is None else None
        body = {"kind": kind[0], "volunteer": self.volunteer(which, now).id, "child": child, "value": kind[1],
                "reason": "as the panel said"}  # fmt: skip
        self.may(role, self.ask(role, "POST", f"{API}/exceptions", json=body), Permission.APPROVE)

    @rule(role=ANYBODY, which=WHICH)
    def an_exception_is_withdrawn(self, role: Role, which: int) -> None:
        there = self.ask(Role.MANAGER, "GET", f"{API}/exceptions?withdrawn=false").json()["exceptions"]
        if there:
            one = sorted(there, key=lambda one: str(one["id"]))[which % len(there)]
            answer = self.change(role, "POST", f"{API}/exceptions/{one['id']}/withdraw", {"reason": "no more"}, 1)
            if self.may(role, answer, Permission.APPROVE) and answer.status_code == 200:
                self.withdrawn.add(one["id"])

    @rule(role=ANYBODY, budget=st.sampled_from([None, 0, 20_000, 20_000, 100_000]), spent=st.sampled_from([0, 15_000]))
    def a_budget_is_set(self, role: Role, budget: int | None, spent: int) -> None:
        path = f"{API}/budgets/E06000062"
        tag = self.ask(Role.MANAGER, "GET", path).headers["ETag"].strip('"')
        answer = self.change(role, "PUT", path, {"budget_pence": budget, "spent_pence": spent}, tag)
        if self.may(role, answer, Permission.APPROVE) and answer.status_code == 200:
            self.committed["E06000062"], self.added = spent, {}

    @rule(role=ANYBODY, limits=st.sampled_from(LIMITS))
    def another_policy_is_in_force(self, role: Role, limits: str) -> None:
        tag = self.ask(Role.MANAGER, "GET", f"{API}/policies/current").headers["ETag"].strip('"')
        toml = f'name = "ours"\ntitle = "Ours"\nversion = "{next(self.numbers)}"\ninherits = "national"\n'
        limits = limits + 'source = "the panel"\n' if limits else ""
        body = {"toml": toml + limits, "reason": "agreed"}
        self.may(role, self.change(role, "POST", f"{API}/policies", body, tag), Permission.POLICY)

    @rule(role=ANYBODY, which=st.integers(0, 1), name=st.sampled_from(["Bluebell Homes", "Acorn Care", "Harebell"]))
    def an_organisation_takes_a_name(self, role: Role, which: int, name: str) -> None:
        """To the rules it is one with the one that it was."""
        there = self.ask(Role.MANAGER, "GET", f"{API}/organisations").json()["organisations"]
        if len(there) <= which:
            answer = self.ask(role, "POST", f"{API}/organisations", json={"name": name})
        else:
            one = sorted(there, key=lambda one: str(one["id"]))[which]
            path = f"{API}/organisations/{one['id']}"
            answer = self.change(role, "PATCH", path, {"name": name}, one["version"])
        self.may(role, answer, Permission.WRITE)

    # ---- files -------------------------------------------------------------------------------------------------------

    @rule(
        role=DESK, confirmed=st.booleans(), whom=st.lists(WHICH, min_size=1, max_size=3, unique=True), who=WHICH,
        facts=st.sampled_from((*OF_CHILDREN, {})),
        standing=st.sampled_from(["", "", "approved", "suspended", "resigned"]),
        status=st.sampled_from([None, None, "proposed", "agreed", "current", "current", "ended"]), new=st.booleans(),
        no=st.sampled_from([None, None, "child", "volunteer"]),
    )  # fmt: skip
    def a_file_comes_in(
        self, role: Role, confirmed: bool, whom: list[int], who: int, facts: dict[str, str], standing: str,
        status: str | None, new: bool, no: str | None,
    ) -> None:  # fmt: skip
        """Of some children and a volunteer, perhaps new ones, with a match or a no of the first of them."""
        now = self.now()
        children = sorted({self.child(which, now).reference for which in whom})
        volunteer, number = self.volunteer(who, now), next(self.numbers) + 500
        born = {"young": written(years_ago(9)), "old": written(years_ago(17))}
        given = {reference: {name: born.get(text, text) for name, text in facts.items()} for reference in children}
        if new:
            given |= {f"QC{number}": child_facts(who) | {"family": "none"}}
            children = [f"QC{number}", *children]
        of_volunteer = {"status": standing} if standing else {}
        pair = children[0], volunteer.reference
        files = {
            "children": _sheet("child_id", given),
            "volunteers": _sheet("volunteer_id", {volunteer.reference: of_volunteer}),
        }
        if status:
            on = {"started_on": written(years_ago(1)), "ended_on": written(today()) if status == "ended" else ""}
            files["matches"] = _sheet("child_id", {pair[0]: {"volunteer_id": pair[1], "status": status, **on}})
        if no:
            files["declined"] = _sheet("child_id", {pair[0]: {"volunteer_id": pair[1], "declined_by": no}})
        sent = [("files", (f"{name}.csv", text.encode())) for name, text in files.items()]
        told = self.ask(role, "POST", f"{API}/imports/check", files=sent).json()
        if not told["usable"]:
            self.seen.update(f"a file is refused: {one['column']} {one['wrong'][:60]}" for one in told["problems"])
            return
        keys = [one["key"] for one in told["weaker"]] if confirmed else []
        data = {"stamp": told["stamp"], "weaken": keys}
        if self.ask(role, "POST", f"{API}/imports", files=sent, data=data).status_code == 201:
            self._taken_in(now, by_a_manager=bool(keys))

    def _taken_in(self, before: Now, *, by_a_manager: bool) -> None:
        """What a file changed. Whatever weakens a safeguard had its key, which a manager alone may give."""
        self.forget_how_matches_stood(before)
        after, weaker = self.now(), []
        for id, child in after.children.items():
            was, said = before.children.get(id), child.facts["agrees"]
            weaker += [f"{id} said no"] if self.word.get(id) == "no" != said else []
            if id in self.held:  # which no key of anybody's ends: the file does not say what was found
                assert child.facts["safeguarding_issue"] is True, f"a file closed the safeguarding issue of {id}"
            if was is None or was.facts["agrees"] != said:
                self.word[id] = said
            if child.facts["safeguarding_issue"] is not True:
                self.held.discard(id)
        for id, one in after.volunteers.items():
            weaker += [f"{id} was stopped"] if id in self.stopped and one.status not in STOPPED else []
            (self.stopped.add if one.status in STOPPED else self.stopped.discard)(id)
        for match in after.matches.values():
            pair, was = (match.child, match.volunteer), before.matches.get(match.id)
            if was is None and match.state in LIVE:
                asks = CORE if after.children[match.child].referral else ABOUT_VOLUNTEER | {"sibling_history"}
                weaker += sorted(broken(after, *pair, match.id) & asks)
                assert pair not in self.childs_noes
                weaker += ["declined before"] if pair in self.noes else []
                self.confirmed.add(pair)
            elif match.state == "ended":
                self.noes.add(pair)
                self.confirmed.discard(pair)
        self.noes |= after.declined
        assert by_a_manager or not weaker, f"a file did this unconfirmed: {weaker}"

    # ---- runs --------------------------------------------------------------------------------------------------------

    @rule(role=ANYBODY, later=st.booleans())
    def everything_is_planned(self, role: Role, later: bool) -> None:
        asked = self.ask(role, "POST", f"{API}/runs", json={"reason": "manual"})
        if not self.may(role, asked, Permission.RUN) or asked.status_code != 202:
            return
        held = runs.take(self.service.database, self.where)
        if held is not None:
            plans.make(self.service.database, self.service.keys, held, lambda _: None)
        if not later:
            self.a_plan_is_published(role, 0)

    @rule(role=ANYBODY, which=st.integers(0, 2))
    def a_plan_is_published(self, role: Role, which: int) -> None:
        found = [run["id"] for run in self.ask(Role.MANAGER, "GET", f"{API}/runs").json()["runs"]
                 if run["state"] == "done"]  # fmt: skip
        if not found:
            return
        id = found[which % len(found)]
        answer = self.ask(role, "POST", f"{API}/runs/{id}/publish", json={"reason": "agreed at the meeting"})
        if not self.may(role, answer, Permission.DECIDE) or answer.status_code != 200:
            return
        now = self.now()
        for one in self.ask(Role.MANAGER, "GET", f"{API}/runs/{id}/plan").json()["plan"]["matches"]:
            own = [match.id for match in now.live(child=one["child"], volunteer=one["volunteer"])]
            wrong = broken(now, one["child"], one["volunteer"], own[0] if own else "")
            assert not wrong, f"a plan is published against {wrong}"

    # ---- time, and what it brings ------------------------------------------------------------------------------------

    @rule(days=st.sampled_from([1, 1, 30, 200]))
    def days_go_by(self, days: int) -> None:
        if self.clock.days + days <= 1500:
            self.later(days)

    @rule()
    def a_backup_is_made(self) -> None:
        self.backups.make()

    @precondition(lambda self: self.backups.made)
    @rule(which=st.integers(0, 2))
    def a_backup_is_put_back(self, which: int) -> None:
        self.put_back(self.backups.made[which % len(self.backups.made)])

    @rule(role=st.sampled_from(Role), which=WHICH)
    def somebody_looks_round(self, role: Role, which: int) -> None:
        """Pages and lists, each once in a while."""
        now = self.now()
        child, volunteer, match = self.child(which, now), self.volunteer(which, now), self.match(which, now)
        paths = [
            "/", "/children", "/volunteers", "/proposals", "/runs", "/policy", f"/children/{child.id}",
            f"/children/{child.id}/shortlist", f"/volunteers/{volunteer.id}", f"/volunteers/{volunteer.id}/shortlist",
            f"/children/{child.id}/readers", "/proposals?show=wrong", "/proposals?show=over", "/reports",
            f"{API}/children", f"{API}/children/{child.id}", f"{API}/volunteers", f"{API}/volunteers/{volunteer.id}",
            f"{API}/matches", f"{API}/families", f"{API}/exceptions", f"{API}/children/{child.id}/excluded",
            f"{API}/children/{child.id}/volunteers/{volunteer.id}/explanation", f"{API}/retention",
            f"{API}/children/{child.id}/export", f"{API}/volunteers/{volunteer.id}/export",
            *([f"/proposals/{match.id}", f"{API}/matches/{match.id}"] if match else []),
        ]  # fmt: skip
        for path in paths[which % 4 :: 4]:
            self.ask(role, "GET", path, headers={} if path.startswith(API) else {"Accept": "text/html"})

    # What happens most in life, and what most hangs on, is drawn more often.
    more_facts_of_a_child = even_more_of_a_child = People.a_childs_facts_change
    more_facts_of_a_volunteer, more_siblings = People.a_volunteers_facts_change, People.siblings_are_linked
    more_steps, more_noes, more_mistakes = a_child_is_led_on, somebody_says_no, the_last_step_was_a_mistake

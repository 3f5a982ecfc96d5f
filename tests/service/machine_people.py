"""Who there is, and what people do with records: referrals, facts, siblings, standings, erasures.

Each action says what it expects of the answer beyond what `Holds.ask` asks of any: that it was refused to whom it is
closed, that no no and no suspension is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

from httpx2 import Response
from hypothesis import strategies as st
from hypothesis.stateful import rule
from machine_holds import API, Holds, written, years_ago
from machine_rules import CORE, HELD, LIVE, STOPPED, Now, broken
from service_rows import besides

from matcher.instance import today
from service import workflow
from service.families import stamp
from service.permissions import MAY, Permission, Role
from service.safeguards import WHY

DESK = st.sampled_from([Role.COORDINATOR, Role.MANAGER])
ANYBODY = st.sampled_from([Role.COORDINATOR, Role.MANAGER] * 7 + [Role.ANALYST, Role.AUDITOR, Role.ADMINISTRATOR])
WHICH = st.integers(0, 8)


def some(facts: Sequence[dict[str, str]]) -> st.SearchStrategy[dict[str, str]]:
    """One change, or a few together."""
    several = st.lists(st.sampled_from(facts), min_size=1, max_size=4)
    return several.map(lambda every: {name: text for one in every for name, text in one.items()})


def child_facts(n: int) -> dict[str, str]:
    """A child who is ready. Every other is placed outside the county, or else lives in an organisation's home."""
    return {
        "date_of_birth": written(years_ago(11 + n % 5)), "gender": "female" if n % 2 else "male",
        "responsible_authority": "West Northamptonshire", "placement": "NN16" if n % 2 == 0 else "NN1",
        "placement_council": "North Northamptonshire" if n % 2 == 0 else "West Northamptonshire",
        "ethnicity": "WBRI", "languages": "English", "interests": "football; chess", "agrees": "yes",
        "parental_contact": "none", "unaccompanied": "no", "referred_on": written(years_ago(1)),
        "additional_needs": "none", "provider": "Bluebell Homes" if n % 2 else "none", "looked_after": "yes",
        "safeguarding_issue": "no", "coordinator": "Coordinator A",
    }  # fmt: skip


def volunteer_facts(n: int) -> dict[str, str]:
    return {
        "date_of_birth": written(years_ago(30 + n)), "gender": "female" if n % 2 else "male", "home": "NN2",
        "ethnicity": "WBRI", "languages": "English", "interests": "football; music",
        "agreement_signed_on": written(years_ago(1)), "dbs_checked_on": written(years_ago(0, days=-40 * n)),
        "connected_authorities": "none", "travel_limit_miles": "25", "references_accepted": "2",
        "professional_references": "1", "core_training_on": written(years_ago(1)),
        "safeguarding_training_on": written(years_ago(1)), "drives": "no", "organisations": "none",
        "known_children": "none", "needs_trained": "none", "needs_accepted": "none",
        "commitment_until": written(years_ago(-9)),
    }  # fmt: skip


OF_CHILDREN: tuple[dict[str, str], ...] = (
    *({"agrees": word} for word in ("yes", "yes", "no", "not asked", "")),
    *({"safeguarding_issue": word} for word in ("yes", "yes", "no")),
    *({"looked_after": word} for word in ("yes", "no")),
    *({"provider": words} for words in ("Bluebell Homes", "Acorn Care", "none")),
    *({"responsible_authority": name} for name in ("West Northamptonshire", "North Northamptonshire")),
    {"placement": "NN16", "placement_council": "North Northamptonshire"}, {"placement": "NN1"},
    {"requested_gender": "female", "requested_gender_strength": "essential"}, {"requested_gender": ""},
    {"interests": "music"}, {"coordinator": "Coordinator B"}, {"date_of_birth": "young"}, {"date_of_birth": "old"},
)  # fmt: skip
OF_VOLUNTEERS: tuple[dict[str, str], ...] = (
    *({"dbs_checked_on": which} for which in ("today", "today", "long ago", "")),
    *({"organisations": words} for words in ("Bluebell Homes", "trustee of Bluebell Homes", "none")),
    *({"connected_authorities": names} for names in ("West Northamptonshire", "none")),
    *({"known_children": which} for which in ("somebody", "none")),
    {"references_accepted": "1"}, {"references_accepted": "2"}, {"agreement_signed_on": ""},
    {"agreement_signed_on": "today"}, {"core_training_on": ""}, {"core_training_on": "today"},
    {"safeguarding_training_on": "today"}, {"date_of_birth": "young"}, {"date_of_birth": "old"}, {"gender": "female"},
)  # fmt: skip


def _place(now: Now, side: str, id: str) -> tuple[bool, bool]:
    """Whether they have nothing live, and never had: in this order they are thought of."""
    theirs = [match for match in now.matches.values() if getattr(match, side) == id]
    return not any(match.state in LIVE for match in theirs), not theirs


class People(Holds):
    numbers = count(1)

    # ---- whom it is about --------------------------------------------------------------------------------------------

    def child(self, which: int, now: Now) -> Any:
        """One of those who are referred. Whoever is or was with somebody comes first: small numbers are drawn most."""
        here = [one for one in now.children.values() if one.referral]
        here.sort(key=lambda one: (*_place(now, "child", one.id), one.reference))
        return here[which % len(here)] if here else next(iter(now.children.values()))

    def volunteer(self, which: int, now: Now) -> Any:
        here = [one for one in now.volunteers.values() if not one.reference.startswith("erased")]
        here.sort(key=lambda one: (*_place(now, "volunteer", one.id), one.reference))
        return here[which % len(here)]

    def match(self, which: int, now: Now) -> Any:
        order = sorted(now.matches.values(), key=lambda one: (one.state not in LIVE, one.since, one.id))
        live = sum(one.state in LIVE for one in order)
        return order[which % (live or len(order))] if order else None

    def may(self, role: Role, answer: Any, needs: Permission) -> bool:
        """Whether the answer is that of somebody who may; who may not is refused, whatever they asked."""
        if needs not in MAY[role]:
            assert answer.status_code == 403, f"{role} was answered {answer.status_code}"
        return needs in MAY[role]

    # ---- records -----------------------------------------------------------------------------------------------------

    @rule(role=ANYBODY, n=WHICH, back=st.booleans(), siblings=st.sampled_from([None, [], [0], [3]]))
    def a_child_is_referred(self, role: Role, n: int, back: bool, siblings: list[int] | None) -> None:
        now = self.now()
        gone = sorted(reference for reference, id in self.erased.items() if id in now.children)
        reference = gone[n % len(gone)] if back and gone else f"QC{next(self.numbers) + 500}"
        with_whom = None if siblings is None else [self.child(which, now).id for which in siblings]
        body = {"reference": reference, "siblings": with_whom, "facts": child_facts(n)}
        answer = self.ask(role, "POST", f"{API}/children", json=body)
        if self.may(role, answer, Permission.WRITE) and answer.status_code == 201:
            id = answer.json()["id"]
            assert self.erased.pop(reference, id) == id, "who comes back is somebody else"
            self.word[id] = "yes"
            if with_whom:
                self.linked.append({id, *with_whom})

    @rule(role=ANYBODY, n=WHICH, back=st.booleans(), approve=st.booleans())
    def a_volunteer_is_added(self, role: Role, n: int, back: bool, approve: bool | None) -> None:
        now = self.now()
        gone = sorted(reference for reference, id in self.erased.items() if id in now.volunteers)
        reference = gone[n % len(gone)] if back and gone else f"QV{next(self.numbers) + 500}"
        body = {"reference": reference, "facts": volunteer_facts(n)}
        answer = self.ask(role, "POST", f"{API}/volunteers", json=body)
        if self.may(role, answer, Permission.WRITE) and answer.status_code == 201:
            id = answer.json()["id"]
            assert self.erased.pop(reference, id) == id, "who comes back is somebody else"
            if approve:
                self.change(role, "POST", f"{API}/volunteers/{id}/status",
                            {"status": "approved", "reason": "panel approved"})  # fmt: skip
                self._status_now(id)

    @rule(role=ANYBODY, which=WHICH, facts=some(OF_CHILDREN), stale=st.booleans())
    def a_childs_facts_change(self, role: Role, which: int, facts: dict[str, str], stale: bool) -> None:
        now = self.now()
        child = self.child(which, now)
        born = {"young": written(years_ago(9)), "old": written(years_ago(17))}
        facts = {name: born.get(text, text) for name, text in facts.items()}
        told = {"facts": facts, **besides(role is Role.MANAGER)}
        answer = self.change(
            role, "PATCH", f"{API}/children/{child.id}", told, child.version - stale if stale else None
        )
        if not self.may(role, answer, Permission.WRITE):
            return
        if facts == {"agrees": "no"}:
            assert answer.status_code == 200, "a child's no was refused"
        if answer.status_code == 200:
            self._word_now(child.id, facts)
            self._breaking(role, answer, "child", child.id)

    def _breaking(self, role: Role, answer: Any, side: str, id: str) -> None:
        """The answer to a change names what breaks a core rule by it, and who goes on regardless is refused."""
        now, wrong = self.now(), set()
        for one in now.live(**{side: id}):
            core = broken(now, one.child, one.volunteer, one.id) & CORE
            if core and one.state != "paused":
                wrong.add(one.id)
            possible = [step for step in workflow.STEPS if one.state in step.starts and not step.final]
            if core and possible:
                self.take(role, one, possible[0], possible[0].by[0], None, None)
        assert set(answer.json()["breaking"]) == wrong

    def take(
        self, role: Role, match: Any, step: workflow.Step, by: str, reason: str | None, days_ago: int | None,
        *, stale: bool = False,
    ) -> Response:  # fmt: skip
        raise NotImplementedError

    def _word_now(self, child: str, facts: dict[str, str]) -> None:
        if "agrees" in facts:
            self.word[child] = facts["agrees"] or None
        if facts.get("safeguarding_issue") == "yes":
            self.held.add(child)
        elif "safeguarding_issue" in facts:
            self.held.discard(child)

    @rule(role=ANYBODY, which=WHICH, facts=some(OF_VOLUNTEERS), whom=WHICH)
    def a_volunteers_facts_change(self, role: Role, which: int, facts: dict[str, str], whom: int) -> None:
        now = self.now()
        volunteer = self.volunteer(which, now)
        words = {
            "today": written(today()), "long ago": written(years_ago(3, days=12)), "young": written(years_ago(22)),
            "old": written(years_ago(50)), "somebody": self.child(whom, now).reference,
        }  # fmt: skip
        facts = {name: words.get(text, text) for name, text in facts.items()}
        answer = self.change(
            role,
            "PATCH",
            f"{API}/volunteers/{volunteer.id}",
            {"facts": facts} | ({"why_weaker": WHY[0]} if role is Role.MANAGER else {}),
        )
        if self.may(role, answer, Permission.WRITE) and answer.status_code == 200:
            self._breaking(role, answer, "volunteer", volunteer.id)

    @rule(which=WHICH, n=WHICH)
    def everything_about_two_is_put_right(self, which: int, n: int) -> None:
        """So that not everybody is soon beyond every rule."""
        now = self.now()
        self._put_right(self.child(which, now), self.volunteer(n, now), which, n)

    def _put_right(self, child: Any, volunteer: Any, which: int, n: int) -> None:
        told = {name: text for name, text in child_facts(which).items() if name != "agrees"}
        if self.change(Role.MANAGER, "PATCH", f"{API}/children/{child.id}", {"facts": told}).status_code == 200:
            self._word_now(child.id, told)
        facts = volunteer_facts(n)
        self.change(Role.MANAGER, "PATCH", f"{API}/volunteers/{volunteer.id}", {"facts": facts, "why_weaker": WHY[0]})
        if volunteer.status != "approved":
            self.change(Role.MANAGER, "POST", f"{API}/volunteers/{volunteer.id}/status",
                        {"status": "approved", "reason": "investigation closed", "found": "Nothing."})  # fmt: skip
            self._status_now(volunteer.id)

    @rule(
        role=ANYBODY, which=WHICH,
        change=st.sampled_from([
            ("suspended", "concern raised"), ("suspended", "check lapsed"), ("withdrawn", "moved away"),
            ("resigned", "own wish"), ("approved", "panel approved"), ("applicant", "own wish"),
        ]),
    )  # fmt: skip
    def a_volunteers_standing_changes(self, role: Role, which: int, change: tuple[str, str]) -> None:
        now = self.now()
        volunteer = self.volunteer(which, now)
        body = {"status": change[0], "reason": change[1]}
        stops = change[0] in STOPPED and volunteer.status not in STOPPED
        tag = volunteer.version - 1 if stops and which % 2 else None
        answer = self.change(role, "POST", f"{API}/volunteers/{volunteer.id}/status", body, tag)
        if not self.may(role, answer, Permission.WRITE):
            return
        if stops:
            assert answer.status_code == 200, "a suspension was refused"
        if role is not Role.MANAGER and volunteer.status in STOPPED and change[0] not in STOPPED:
            assert answer.status_code == 403, "somebody who was stopped was taken back without a manager"
        if answer.status_code == 200:
            self._status_now(volunteer.id)
            if change[1] == "concern raised":
                self.remember_concern(volunteer.id)

    def _status_now(self, volunteer: str) -> None:
        status = self.now().volunteers[volunteer].status
        (self.stopped.add if status in STOPPED else self.stopped.discard)(volunteer)

    def families_of(self, ids: list[str], now: Now) -> dict[str, str]:
        """The If-Match of whoever saw the families of these children."""
        found = [{other.id for other in now.children.values() if other.family == now.children[id].family} for id in ids]
        tags = {f'"{stamp(family)}"' for family in found if len(family) > 1}
        return {"If-Match": ", ".join(sorted(tags))} if tags else {}

    @rule(role=ANYBODY, one=WHICH, other=WHICH, again=st.booleans())
    def siblings_are_linked(self, role: Role, one: int, other: int, again: bool) -> None:
        now = self.now()
        ids = [self.child(one, now).id, self.child(other, now).id]
        if ids[0] == ids[1]:
            return
        body = {"children": ids, "although_taken_apart": again}
        answer = self.ask(role, "POST", f"{API}/families", json=body, headers=self.families_of(ids, now))
        if self.may(role, answer, Permission.WRITE) and answer.status_code == 200:
            self.linked.append(set(ids))
            after = self.now()
            family = {id for id, one in after.children.items() if one.family == after.children[ids[0]].family}
            visits = [match for match in after.matches.values() if match.child in family and match.state in HELD]
            shared = {
                match.id for match in visits for sibling in visits
                if match.state in LIVE and match.volunteer == sibling.volunteer and match.child != sibling.child
            }  # fmt: skip
            assert set(answer.json()["irregular"]) == shared, "a link does not name whom it concerns"

    @rule(role=ANYBODY, which=WHICH)
    def a_sibling_is_unlinked(self, role: Role, which: int) -> None:
        now = self.now()
        child = self.child(which, now)
        siblings = [one.id for one in now.children.values() if one.family == child.family and one.id != child.id]
        body = {"reason": "entered by mistake", "siblings": siblings}
        answer = self.change(role, "POST", f"{API}/children/{child.id}/unlink", body)
        if self.may(role, answer, Permission.APPROVE) and answer.status_code == 204:
            self.linked = [one - {child.id} for one in self._whole_families()]

    def _whole_families(self) -> list[set[str]]:
        whole: list[set[str]] = []
        for one in self.linked:
            apart = [other for other in whole if not other & one]
            whole = [*apart, one.union(*(other for other in whole if other & one))]
        return whole

    @rule(role=ANYBODY, which=WHICH, child=st.booleans(), back=st.booleans())
    def somebody_is_erased(self, role: Role, which: int, child: bool, back: bool) -> None:
        """One of those with nothing live, mostly; and perhaps they are back before long."""
        now = self.now()
        one = self.child(-1 - which, now) if child else self.volunteer(-1 - which, now)
        path = f"{API}/{'children' if child else 'volunteers'}/{one.id}/erasure"
        answer = self.ask(role, "POST", path, json={"reason": "asked to be erased"})
        if self.may(role, answer, Permission.PRIVACY) and answer.status_code == 204:
            self.erased[one.reference] = one.id
            self.held.discard(one.id)
            if self.word.get(one.id) != "no":
                self.word.pop(one.id, None)
            if back:
                self.later(1)
                (self.a_child_is_referred if child else self.a_volunteer_is_added)(role, 0, True, None)

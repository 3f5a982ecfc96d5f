"""The policy: what is in force and why, its versions and how they differ, and a draft tried before it is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from matcher import standing
from matcher.catalogue import CATALOGUE, title_of
from matcher.errors import NoPlanError
from matcher.instance import today
from matcher.plan import Change, Plan
from matcher.policy import Policy
from matcher.policy_words import differences, objective_words, told
from matcher.words import listed, pounds, spoken
from service import plans, policies, runs
from service.api.deps import Asking, Kith, Reading, may_identify, note_reading
from service.api.shapes import PolicyNumber
from service.database import tables
from service.pages.drafts import Draft, cited
from service.pages.html import render
from service.pages.plan import proof
from service.pages.reckoning import SHORT, Reckoned, Reckoning
from service.pages.runs import stale
from service.permissions import Permission
from service.policies import Tried
from service.proposals import NOT_ASKED
from service.repository import Repository
from service.workflow import APPOINTED, LIVE, Rules, State

router = APIRouter(prefix="/policy")

GROUPS = (
    ("scores", "", "How well a pair fits"),
    ("priorities", "", "What a child brings"),
    ("rules", "volunteer", "Rules about the volunteer"),
    ("rules", "child", "Rules about the child"),
    ("rules", "pair", "Rules about the two together"),
    ("constraints", "", "What holds for the whole plan"),
)
"""Section, whom its rules are about, and the heading under which a page shows them: first what is changed most."""
_ABOUT = {f"{entry.section}.{entry.id}": getattr(entry, "about", "") for entry in CATALOGUE}
_TITLES = {f"{entry.section}.{entry.id}": entry.title for entry in CATALOGUE}
PATIENCE = 0.6
"""Seconds for which a preview waits for the plan under its draft; a large authority's takes longer, and is asked for
again."""
MOST_SHOWN = 25
"""Children of one kind in a preview; the others are counted."""


async def _sent(request: Request) -> Mapping[str, Any]:
    """What a form sent, whatever its fields: those of a policy are as many as its entries ask."""
    return await request.form()


Sent = Annotated[Mapping[str, Any], Depends(_sent)]


# ---- what is in force ------------------------------------------------------------------------------------------------


@router.get("")
def policy_page(request: Request, person: Asking, rows: Reading) -> Response:
    row, policy = rows.policy()
    return _policy(request, person, rows, row, policy, in_force=True)


@router.get("/versions/{number}")
def version(number: PolicyNumber, request: Request, person: Asking, rows: Reading) -> Response:
    row = policies.numbered(rows.session, number)
    in_force = row.number == rows.policy()[0].number
    return _policy(request, person, rows, row, rows.policy_content(row), in_force=in_force)


def _policy(
    request: Request, person: Asking, rows: Repository, row: tables.Policy, policy: Policy, *, in_force: bool
) -> Response:
    entries = told(policy)["entries"]
    groups = [
        (title, section, [_shown(one) for one in entries if _belongs(one, section, about)])
        for section, about, title in GROUPS
    ]
    return render(
        request, "policy.html", person, row=row, policy=policy, aim=objective_words(policy), groups=groups,
        reason=rows.open(row, "reason"), in_force=in_force, names=rows.account_names(),
        tries=Permission.RUN in person.may, saves=Permission.POLICY in person.may,
    )  # fmt: skip


def _belongs(entry: Mapping[str, Any], section: str, about: str) -> bool:
    return entry["section"] == section and (not about or _ABOUT[f"{section}.{entry['id']}"] == about)


def _shown(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry with those of its limits that its sentence does not tell, and the number that its bar shows."""
    title = _TITLES[f"{entry['section']}.{entry['id']}"]
    main = {"scores": "weight", "priorities": "points"}.get(entry["section"], "")
    rest = [
        limit["shown"] if spoken(key) in limit["shown"] else f"{spoken(key).removesuffix(' pounds')}: {limit['shown']}"
        for key, limit in entry["limits"].items()
        if "{" + key + "}" not in title and key != main
    ]
    return {**entry, "rest": rest, **_amount(entry["limits"], main)}


def _amount(limits: Mapping[str, Any], main: str) -> dict[str, Any]:
    """A weight or points, as a number and in words; of what grows by the day, the most that it comes to."""
    if main in limits:
        return {"amount": limits[main]["value"], "amount_words": limits[main]["shown"]}
    if "points_a_day" in limits:
        most = limits["points_a_day"]["value"] * limits["most_days"]["value"]
        return {"amount": most, "amount_words": f"up to {most:,} points"}
    return {"amount": 0, "amount_words": ""}


# ---- versions --------------------------------------------------------------------------------------------------------


@router.get("/versions")
def versions(
    request: Request, person: Asking, rows: Reading,
    one: Annotated[int, Query(ge=0, le=1_000_000)] = 0, other: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> Response:  # fmt: skip
    """All of them; and how two differ: the last one from the one before it, unless others are chosen."""
    every = policies.versions(rows.session)
    numbers = [row.number for row in every]
    other = other if other in numbers else numbers[0]
    one = one if one in numbers else max(other - 1, numbers[-1])
    content = {row.number: rows.policy_content(row) for row in every}
    sides = [replace(content[number], title=f"version {number}") for number in (one, other)]
    return render(
        request, "policy-versions.html", person, rows=every, content=content, names=rows.account_names(), one=one,
        other=other, differences=[line.sentence for line in differences(*sides)],
        why={row.number: rows.open(row, "reason") for row in every},
    )  # fmt: skip


# ---- a draft ---------------------------------------------------------------------------------------------------------


@router.get("/draft")
def draft_page(
    request: Request, person: Asking, rows: Reading, again: Annotated[int, Query(ge=0, le=1_000_000)] = 0
) -> Response:
    """`again` is the number of an earlier version with which the draft begins; else it begins with the one in force."""
    row, policy = rows.policy()
    if not again:
        return _form(request, person, Draft.of(policy, row.number))
    earlier = rows.policy_content(policies.numbered(rows.session, again))
    return _form(request, person, Draft.again(policy, row.number, earlier), again)


@router.post("/draft")
def try_draft(request: Request, person: Asking, kith: Kith, rows: Reading, reckoned: Reckoned, sent: Sent) -> Response:
    """What the draft would change; or the form again, where something is wrong or it is to be changed once more."""
    row, policy = rows.policy()
    draft = Draft.read(policy, row.number, sent)
    if draft.policy is None or sent.get("then") == "change":
        return _form(request, person, draft)
    reason = str(sent.get("reason", "")).strip()
    return _preview(request, person, kith, rows, reckoned, draft, draft.policy, sent, reason=reason)


@router.post("")
def save(request: Request, person: Asking, kith: Kith, rows: Reading, reckoned: Reckoned, sent: Sent) -> Response:
    row, policy = rows.policy()
    draft = Draft.read(policy, row.number, sent)
    if draft.policy is None:
        return _form(request, person, draft)
    reason = str(sent.get("reason", "")).strip()

    def again(status: int, error: str) -> Response:
        assert draft.policy is not None
        return _preview(
            request, person, kith, rows, reckoned, draft, draft.policy, sent, status=status, error=error, reason=reason
        )

    if str(sent.get("base", "")) != str(row.number):
        return again(409, "Somebody put another version in force meanwhile. What you see below is held against that "
                          "one; nothing of yours was lost. Look at it again, then save.")  # fmt: skip
    if not 3 <= len(reason) <= 500:
        return again(422, "Say in 3 to 500 characters why the policy changes.")
    gone = policies.no_longer_asked(policy, draft.policy)
    if any(sent.get(f"gone.{one.id}") != "yes" for one in gone):
        return again(422, "Tick each rule that would no longer be asked, or change the draft.")
    if not differences(policy, draft.policy):
        return again(422, "The draft decides nothing differently. Change it first.")
    decided, number = cited(draft.policy, policy, today()), None
    with kith.database.write(person.authority_id) as session:
        fresh = Repository(session, kith.keys)
        if policies.held_in_force(fresh) == row.number:  # nobody was quicker
            number = policies.add_version(fresh, decided, user_id=person.user_id, reason=reason).number
    if number is None:
        return again(409, "Somebody put another version in force at this very moment. Look again, then save.")
    return RedirectResponse(f"/policy/versions?other={number}", 303)


def _form(request: Request, person: Asking, draft: Draft, again: int = 0) -> Response:
    entries = draft.entries
    groups = [
        (title, [one for one in entries if one.section == section and (not about or one.about == about)])
        for section, about, title in GROUPS
    ]
    return render(
        request, "policy-draft.html", person, status=422 if draft.wrong else 200, draft=draft, groups=groups,
        again=again, places={field.name: (entry.title, field.label) for entry in entries for field in entry.fields}
        | {field.name: (field.label, "") for field in draft.aims},
    )  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One figure under the policy in force and under the draft."""

    what: str
    before: str
    after: str
    difference: str


def _preview(
    request: Request, person: Asking, kith: Kith, rows: Repository, reckoned: Reckoning, draft: Draft,
    policy: Policy, sent: Sent, *,
    status: int = 200, error: str = "", reason: str = "",
) -> Response:  # fmt: skip
    now, then = replace(draft.base, title="the policy in force"), replace(policy, title="the draft")
    gone = policies.no_longer_asked(draft.base, policy)
    differing = [line.sentence for line in differences(now, then) if line.id not in {one.id for one in gone}]
    tried, problem = None, ""
    if differing or gone:
        before = _plan_of_last_run(rows, reckoned)
        kind = f"draft of {person.user_id}"
        reckoned.held.forget(kind, but=policy.content_hash)
        try:
            tried = reckoned.held.worked_out(
                (kind, policy.content_hash),
                lambda: policies.try_out(reckoned.instance, before or reckoned.plan, policy),
                PATIENCE,
            )
        except NoPlanError as refusal:
            problem = reckoned.told(str(refusal)) if may_identify(person) else "No plan can be found under it."
    broken = _broken_by(reckoned, policy) if differing or gone else []
    kinds = _kinds(reckoned, tried) if tried else {}
    shown = {kind: lines[:MOST_SHOWN] for kind, lines in kinds.items()} if may_identify(person) else {}
    if tried or broken:
        listed_here = {str(one["child"]) for lines in shown.values() for one in lines}
        children = sorted(listed_here | ({one.match.child_id for one in broken} if may_identify(person) else set()))
        note_reading(kith, person, "draft of a policy", "", children=children)
    return render(
        request, "policy-preview.html", person, status=status, error=error, reason=reason, draft=draft, policy=policy,
        differences=differing, gone=[(one.id, title_of(one, draft.base), one.source) for one in gone], problem=problem,
        ticked=frozenset(one.id for one in gone if sent.get(f"gone.{one.id}") == "yes"),
        waits=bool(differing or gone) and not (tried or problem),
        rows=_figures(reckoned, tried) if tried else [], broken=broken, identifies=may_identify(person),
        counts={kind: len(lines) for kind, lines in kinds.items()}, shown=shown, told=reckoned.told,
        references=reckoned.references, saves=Permission.POLICY in person.may,
    )  # fmt: skip


def _plan_of_last_run(rows: Repository, reckoned: Reckoning) -> Plan | None:
    """The best plan under the policy in force, if the last run found it and nothing has changed since."""
    newest = plans.last(rows.session)
    if newest is not None and newest.status == "OPTIMAL" and not stale(rows, runs.find(rows.session, newest.run_id)):
        found = Plan.from_dict(plans.of_run(rows, newest.run_id)[1].plan)
        if found.policy_hash == reckoned.instance.policy.content_hash and not found.stability_points:
            return found
    return None


def _kinds(reckoned: Reckoning, tried: Tried) -> Mapping[str, Sequence[Mapping[str, str | None]]]:
    """Who gains, who loses and who changes by a draft, with the reason on that side where they have nobody."""
    why = {
        "new": {one.child: f"Under the policy in force: {one.reason}" for one in tried.before.unmatched},
        "unmatched": {one.child: f"Under the draft: {one.reason}" for one in tried.after.unmatched},
    }

    def line(one: Change) -> Mapping[str, str | None]:
        reason = why.get(one.kind, {}).get(one.child, one.reason)
        return {"child": one.child, "before": one.before, "volunteer": one.volunteer, "reason": reason}

    def order(one: Change) -> str:
        return reckoned.references.get(one.child, "")

    return {
        kind: [line(one) for one in sorted(tried.diff.of(kind), key=order)] for kind in ("new", "unmatched", "changed")
    }


@dataclass(frozen=True)
class Broken:
    """A proposal that is under way, or visits that go on, and the rules of a draft that it would break."""

    match: tables.Match
    rules: str


def _broken_by(reckoned: Reckoning, draft: Policy) -> list[Broken]:
    """What is live and breaks rules by a draft alone, which it does not break now; the furthest in its course last."""
    before = standing.broken(reckoned.instance, core=False)
    after = standing.broken(replace(reckoned.instance, policy=draft), core=False)
    found = []
    for match in sorted(reckoned.live.values(), key=lambda one: (LIVE.index(State(one.state)), one.id)):
        pair = match.child_id, match.volunteer_id
        begun = NOT_ASKED[Rules.AGAIN] if match.state in APPOINTED else frozenset()
        if new := [rule for rule in after.get(pair, ()) if rule not in (*before.get(pair, ()), *begun)]:
            found.append(Broken(match, listed(SHORT[rule] for rule in new)))
    return found


def _figures(reckoned: Reckoning, tried: Tried) -> list[Row]:
    def counted(what: str, number: Any) -> Row:
        before, after = number(tried.before), number(tried.after)
        move = f"{after - before:+,}".replace("-", "−") if after != before else "the same"
        return Row(what, f"{before:,}", f"{after:,}", move)

    spent = [sum(plan.spent_pence.values()) for plan in (tried.before, tried.after)]
    gap = pounds(abs(spent[1] - spent[0]))
    move = f"{'+' if spent[1] > spent[0] else '−'}{gap}" if spent[0] != spent[1] else "the same"

    def without_contact(plan: Plan) -> int:
        return sum(match.child in reckoned.without_contact for match in plan.matches)

    def proven(plan: Plan) -> str:
        return proof(plan.status, plan.tiers, plan.first_tier_bound)

    return [
        counted("Children with a volunteer in the plan", lambda plan: len(plan.matches)),
        counted("Children still waiting", lambda plan: len(plan.unmatched)),
        counted(
            f"Of the {len(reckoned.without_contact)} without regular contact with parents, in the plan",
            without_contact,
        ),
        counted("Pairs that pass every rule", lambda plan: plan.eligible_pairs),
        Row("Journeys out of the county a year, as each policy reckons", pounds(spent[0]), pounds(spent[1]), move),
        Row("How good the plan is", proven(tried.before), proven(tried.after), ""),
    ]

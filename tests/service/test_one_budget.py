"""What one council pays for: two who set its budget, and proposals outside the county that it does not pay together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from conftest import Service
from fastapi.testclient import TestClient
from sqlalchemy import select
from test_at_once import at_once
from test_proposals import WAY, Desk

from matcher.instance import today
from matcher.readers import read_files
from matcher.records import Party
from matcher.shortlist import Candidate, shortlist
from service.database import tables
from service.importing import take_in
from service.permissions import Role
from service.proposals import Chosen, propose
from service.repository import Repository
from service.workflow import StepRefusedError

API = "/api/v1"
OVER = "With what is proposed and agreed already it is too expensive"


def paid_by_one(service: Service) -> tuple[str, list[Candidate]]:
    """A council, and two children with a volunteer each for whom it would pay; it can pay for one of them."""
    with service.database.read(service.north) as session:
        instance = Repository(session, service.keys).instance(today())
    pinned = {match.child for match in instance.pins}
    outside = [one for one in instance.waiting if one.placement_council != one.responsible_authority]
    lists = {one: shortlist(instance, one.id, rank_by="fit") for one in outside if one.id not in pinned}
    first, council = next(
        (found[0], child.responsible_authority) for child, found in lists.items() if found and found[0].cost_pence
    )
    second = next(
        one
        for child, found in lists.items()
        for one in found
        if child.responsible_authority == council and (one.child, one.volunteer) != (first.child, first.volunteer)
        if one.child != first.child and one.volunteer != first.volunteer and one.cost_pence
    )
    with service.database.write(service.north) as session:
        taken = sum(
            one.cost_pence
            for match in instance.pins
            if instance.child(match.child).responsible_authority == council
            for one in shortlist(instance, match.child, top=100, rank_by="fit")
            if one.volunteer == match.volunteer
        )
        row = session.query(tables.Budget).filter(tables.Budget.code == council).one()
        row.spent_pence, row.budget_pence = 0, taken + max(first.cost_pence, second.cost_pence)
    return council or "", [first, second]


def proposing(service: Service, one: Candidate) -> Callable[[], tuple[int, str]]:
    browser = service.as_(Role.COORDINATOR)
    shown = browser.get(f"{API}/children/{one.child}/shortlist", params={"top": 50, "rank_by": "fit"}).json()
    body = {"served": shown["served"], "volunteer": one.volunteer, "reason": "other"}

    def propose() -> tuple[int, str]:
        answer = browser.post(f"{API}/proposals", json=body)
        return answer.status_code, answer.text

    return propose


def proposing_anew(service: Service, one: Candidate) -> tuple[int, str]:
    """What a proposal is answered of somebody who may not be on the shortlist any more."""
    user = service.users["north", Role.COORDINATOR]
    with service.database.write(service.north) as session:
        chosen = Chosen("fit", 1, ())
        try:
            propose(
                Repository(session, service.keys), one.child, one.volunteer, user_id=user, reason="other", chosen=chosen
            )
        except StepRefusedError as error:
            return 409, str(error)
    return 201, ""


def spent(service: Service, code: str) -> int:
    with service.database.read(service.north) as session:
        return session.scalars(select(tables.Budget.spent_pence).where(tables.Budget.code == code)).one()


def test_a_proposal_counts_what_is_on_the_way(service: Service) -> None:
    _, pairs = paid_by_one(service)
    first, second = [proposing(service, one) for one in pairs]
    assert first()[0] == 201
    status, told = second()
    assert status == 409
    assert OVER in told


def test_of_two_proposals_at_once_one_budget_pays_for_one(service: Service) -> None:
    _, pairs = paid_by_one(service)
    calls = [proposing(service, one) for one in pairs]
    assert at_once([lambda call=call: call()[0] for call in calls]) == [201, 409]  # type: ignore[misc]


def test_an_appointment_is_paid_for_from_what_is_left(service: Service) -> None:
    """As much is left as the dearer of two costs: once one of them is appointed, the other is too expensive."""
    council, (first, second) = paid_by_one(service)
    desk = Desk(service)
    match = desk.propose(first.child, first.volunteer)
    before = spent(service, council)
    for step, by in WAY[:-2]:
        desk.step(match, step, by)
    assert spent(service, council) == before  # a proposal counts by being one
    desk.step(match, "appoint", Party.AUTHORITY)
    assert spent(service, council) == before + first.cost_pence
    desk.step(match, "first_visit", Party.VOLUNTEER)  # for which there is money, though nothing may be left beside it
    assert spent(service, council) == before + first.cost_pence
    status, told = proposing_anew(service, second)
    assert status == 409
    assert "Too expensive" in told
    with service.database.read(service.north) as session:
        entries = session.scalars(select(tables.AuditEvent).where(tables.AuditEvent.action == "commit budget")).all()
    assert [one.details for one in entries] == [{"code": council, "pence": first.cost_pence, "match": match}]


def under(service: Service, **limits: object) -> None:
    """Puts a policy in force that differs in what it says of this budget."""
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        policy = rows.policy()[1]
        constraints = policy.sections["constraints"]
        constraints = {**constraints, "out_of_county_budget": {**constraints["out_of_county_budget"], **limits}}
        sections = {**policy.sections, "constraints": constraints}
        rows.add_policy(replace(policy, sections=sections), user_id=None, reason="for a test")


def test_a_spot_purchase_commits_its_price(service: Service) -> None:
    council, (first, _) = paid_by_one(service)
    under(service, method="spot_purchase", spot_purchase_pounds=1)
    assert appointed_costs(service, council, first) == 100


@pytest.mark.parametrize(
    ("limits", "pence"), [({}, None), ({"method": "spot_purchase", "spot_purchase_pounds": 7}, 700)]
)
def test_an_appointment_is_committed_also_while_the_policy_leaves_budgets_out(
    service: Service, limits: dict[str, object], pence: int | None
) -> None:
    """By the policy of tomorrow what is left has to be true."""
    council, (first, _) = paid_by_one(service)
    under(service, on=False, **limits)
    assert appointed_costs(service, council, first) == (first.cost_pence if pence is None else pence)


def test_without_a_budget_rule_a_child_whose_place_is_not_recorded_commits_nothing(service: Service) -> None:
    council, (first, _) = paid_by_one(service)
    under(service, on=False, method="spot_purchase")
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        row = rows.child(first.child)
        rows.write_child(row, replace(rows.child_record(row, family_known=True), placement_council=None))
        own = rows.volunteer(first.volunteer)
        rows.write_volunteer(own, replace(rows.volunteer_record(own), areas=()))  # who names areas needs to know it
    assert appointed_costs(service, council, first) == 0


def test_a_match_that_comes_with_a_file_commits_nothing(service: Service) -> None:
    """Its cost is part of the figure that whoever keeps the budget tells."""
    council, (first, _) = paid_by_one(service)
    before = spent(service, council)
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        pair = rows.child(first.child).reference, rows.volunteer(first.volunteer).reference
        row = f"{pair[0]},{pair[1]},current,{today():%d/%m/%Y}"
        reading = read_files(
            {
                "children.csv": f"child_id\n{pair[0]}\n".encode(),
                "volunteers.csv": f"volunteer_id\n{pair[1]}\n".encode(),
                "matches.csv": f"child_id,volunteer_id,status,started_on\n{row}\n".encode(),
            },
            today(),
        )
        take_in(rows, reading, today(), user_id=service.users["north", Role.MANAGER])
        live = session.scalars(select(tables.Match.state).where(tables.Match.child_id == first.child)).all()
    assert live == ["active"]
    assert spent(service, council) == before


def appointed_costs(service: Service, council: str, one: Candidate) -> int:
    """What is committed more once a pair is appointed."""
    before, desk = spent(service, council), Desk(service)
    match = desk.propose(one.child, one.volunteer)
    for step, by in WAY[:-1]:
        desk.step(match, step, by)
    return spent(service, council) - before


def test_an_appointment_within_the_county_commits_nothing(service: Service) -> None:
    with service.database.read(service.north) as session:
        instance = Repository(session, service.keys).instance(today())
    pinned = {match.child for match in instance.pins}
    near = next(
        found[0]
        for one in instance.waiting
        if one.placement_council == one.responsible_authority and one.id not in pinned
        if (found := shortlist(instance, one.id, rank_by="fit"))
    )
    before = {code: one.spent_pence for code, one in instance.authorities.items()}
    desk = Desk(service)
    match = desk.propose(near.child, near.volunteer)
    for step, by in WAY[:-1]:
        desk.step(match, step, by)
    assert {code: spent(service, code) for code in before} == before


@pytest.mark.parametrize("again", range(4))
def test_of_two_who_set_a_budget_at_once_one_is_told(service: Service, again: int) -> None:
    path = f"{API}/budgets/E06000061"
    managers = [service.as_(Role.MANAGER) for _ in range(2)]
    tag = {"If-Match": managers[0].get(path).headers["ETag"]}

    def setting(browser: TestClient, pence: int) -> Callable[[], int]:
        body = {"budget_pence": pence, "spent_pence": again}
        return lambda: browser.put(path, json=body, headers=tag).status_code

    assert at_once([setting(browser, 1000 + n) for n, browser in enumerate(managers)]) == [200, 412]


@pytest.mark.parametrize("n", range(4))
def test_one_reference_in_two_spellings_is_one_child_however_close_they_come(service: Service, n: int) -> None:
    def adding(reference: str) -> Callable[[], int]:
        browser = service.as_(Role.COORDINATOR)
        return lambda: browser.post(f"{API}/children", json={"reference": reference, "siblings": []}).status_code

    assert at_once([adding(f"QQ-00{n}1"), adding(f"qq {n}1")]) == [201, 409]

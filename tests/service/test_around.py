"""Families, organisations and exceptions: found one by one and in lists, renamed, withdrawn, and what follows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from api_desk import API
from api_desk import desk as desk
from api_desk import manager as manager
from conftest import Service
from fastapi.testclient import TestClient
from service_rows import a_child, a_match, families_seen, files_of
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from test_proposals import CHILDS_VIEW

from matcher.errors import InputError
from matcher.instance import today
from matcher.readers import Reading, read_files
from matcher.records import Party
from service import importing, steps
from service.database import tables
from service.families import link_siblings, unlink_sibling
from service.permissions import Role
from service.repository import Repository
from service.workflow import LIVE, State

HTML = {"Accept": "text/html"}
WHY = {"reason": "less time by now"}


def tag(browser: TestClient, path: str) -> dict[str, str]:
    return {"If-Match": browser.get(f"{API}{path}").headers["ETag"]}


def enters(browser: TestClient, path: str, why: str | None = None, **facts: str) -> None:
    answer = browser.patch(f"{API}{path}", json={"facts": facts, "why_weaker": why}, headers=tag(browser, path))
    assert answer.status_code == 200


def allows(manager: TestClient, volunteer: str, **also: Any) -> str:
    body = {"kind": "second child", "volunteer": volunteer, "value": 2, "reason": "for a while", **also}
    made = manager.post(f"{API}/exceptions", json=body)
    assert made.status_code == 201
    return str(made.json()["id"])


def withdraws(manager: TestClient, exception: str) -> Any:
    path = f"/exceptions/{exception}"
    return manager.post(f"{API}{path}/withdraw", json=WHY, headers=tag(manager, path))


def somebody_who_waits(session: Session) -> tables.Child:
    """A child with a referral who wants a visitor, and of whom nothing is live."""
    live = select(tables.Match.child_id).where(tables.Match.state.in_(LIVE))
    objecting = tables.Child.objects | ~tables.Child.referral
    child = session.scalars(select(tables.Child).where(tables.Child.id.not_in(live), ~objecting)).first()
    assert child is not None
    return child


def sentence(browser: TestClient, child: str, volunteer: str, rule: str) -> tuple[str, str]:
    told = browser.get(f"{API}/children/{child}/volunteers/{volunteer}/explanation").json()
    return next((one["verdict"], one["sentence"]) for one in told["reasons"] if one["rule"] == rule)


# ---- one by one, and in lists ----------------------------------------------------------------------------------------


def test_each_is_found_by_its_id_and_nothing_else_is(desk: TestClient, manager: TestClient, service: Service) -> None:
    family = desk.get(f"{API}/families").json()["families"][0]
    assert desk.get(f"{API}/families/{family['id']}").json() == family
    provider = desk.post(f"{API}/organisations", json={"name": "Example Homes"}).json()
    assert desk.get(f"{API}/organisations/{provider['id']}").json() == provider
    exception = allows(manager, service.eligible_pair()[1])
    assert desk.get(f"{API}/exceptions/{exception}").json()["reason"] == "for a while"
    told = service.as_(Role.ANALYST).get(f"{API}/exceptions/{exception}").json()
    assert (told["reason"], told["approved_by"]) == (None, None)
    for path in ("families/F", "organisations/O", "exceptions/E"):
        assert desk.get(f"{API}/{path}{'2' * 11}").status_code == 404
    with service.database.write(service.north) as session:  # whose siblings nobody has recorded yet
        unknown = tables.Family(known=False, references=[])
        session.add(unknown)
    assert desk.get(f"{API}/families/{unknown.id}").status_code == 404


def test_families_are_found_by_child_and_sorted_by_number(desk: TestClient, service: Service) -> None:
    one, two, three = service.children()[:3]
    linked = desk.post(
        f"{API}/families", json={"children": [one, two, three]}, headers=families_seen(desk, one, two, three)
    ).json()
    assert [f["id"] for f in desk.get(f"{API}/families", params={"child": two}).json()["families"]] == [linked["id"]]
    sizes = [len(f["children"]) for f in desk.get(f"{API}/families", params={"sort": "children"}).json()["families"]]
    assert (sizes, sizes[0] >= 3) == (sorted(sizes, reverse=True), True)


def test_organisations_are_found_by_how_they_begin(desk: TestClient, service: Service) -> None:
    for name in ("Bluebell Homes", "bluebottle care", "100% Care", "Sunrise"):
        assert desk.post(f"{API}/organisations", json={"name": name}).status_code == 201

    def named(browser: TestClient, begins: str) -> list[str]:
        found = browser.get(f"{API}/organisations", params={"name": begins}).json()
        assert found["total"] == len(found["organisations"])
        return [one["name"] for one in found["organisations"]]

    assert sorted(named(desk, "BLUE")) == ["Bluebell Homes", "bluebottle care"]
    assert named(desk, "100%") == ["100% Care"]
    assert named(desk, "%") == []
    assert named(service.as_(Role.ANALYST), "Sun") == []  # to whom names are not told, not even by asking for them


def test_exceptions_are_filtered(desk: TestClient, manager: TestClient, service: Service) -> None:
    child, volunteer = service.eligible_pair()
    held, over = allows(manager, volunteer), allows(manager, volunteer, value=3)
    relative = allows(manager, volunteer, kind="relative as visitor", child=child, value=None)
    assert withdraws(manager, over).status_code == 200

    def found(**by: Any) -> set[str]:
        answer = desk.get(f"{API}/exceptions", params={"volunteer": volunteer, **by}).json()
        return {one["id"] for one in answer["exceptions"]}

    assert found() == {held, over, relative}
    assert found(kind="second child") == {held, over}
    assert found(child=child) == {relative}
    assert (found(withdrawn=True), found(withdrawn=False)) == ({over}, {held, relative})
    first = desk.get(f"{API}/exceptions", params={"sort": "withdrawn_on", "size": 1}).json()["exceptions"]
    assert [(one["id"], one["withdrawn_reason"]) for one in first] == [(over, WHY["reason"])]


def test_matches_are_filtered_by_coordinator_and_by_what_breaks_the_rule(desk: TestClient, service: Service) -> None:
    match = service.a_match()
    with service.database.write(service.north) as session:
        row = session.get_one(tables.Match, match)
        row.irregular = True
        Repository(session, service.keys).name_coordinator(row, "A. Coordinator")
    for by in ({"coordinator": "A. Coordinator"}, {"irregular": True}):
        assert [one["id"] for one in desk.get(f"{API}/matches", params=by).json()["matches"]] == [match]
    assert desk.get(f"{API}/matches", params={"coordinator": "Nobody"}).json()["total"] == 0


def test_who_are_no_siblings_after_all_are_kept_apart_as_before(service: Service) -> None:
    """The mark of a match that breaks the rule keeps it outside the index: off again, or nothing would keep siblings
    who are found later from the same visitor but the rule."""
    user = service.users["north", Role.MANAGER]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        visited = session.get_one(tables.Match, service.a_match())
        child, volunteer = rows.child(visited.child_id), rows.volunteer(visited.volunteer_id)
        before = a_child(rows, "N1")
        ended = a_match(session, before, volunteer, State.ENDED, place=None)
        session.flush()
        link_siblings(rows, [child.id, before.id], user_id=user)
        assert sorted((visited.irregular, ended.irregular)) == [False, True]
        unlink_sibling(rows, before, user_id=user, reason="not related after all")
        assert (visited.irregular, ended.irregular) == (False, False)
        sibling = a_child(rows, "N2")
        link_siblings(rows, [before.id, sibling.id], user_id=user)
        a_match(session, sibling, volunteer, State.ENDED, place=None)
        with pytest.raises(IntegrityError), session.begin_nested():
            session.flush()
        session.rollback()


@pytest.mark.parametrize("first", [0, 1])
def test_a_link_found_late_tells_of_the_live_match_in_whichever_order_siblings_are_named(
    service: Service, desk: TestClient, first: int
) -> None:
    """The volunteer visits one and visited the other: it is the visits that go on that somebody has to look at."""
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        visited = session.get_one(tables.Match, service.a_match())
        before = a_child(rows, "N1")
        ended = a_match(session, before, rows.volunteer(visited.volunteer_id), State.ENDED, place=None)
        session.flush()
        both = [visited.child_id, before.id]
    linked = desk.post(
        f"{API}/families", json={"children": [both[first], both[1 - first]]}, headers=families_seen(desk, *both)
    ).json()
    assert linked["irregular"] == [visited.id]
    with service.database.read(service.north) as session:
        marks = {id: session.get_one(tables.Match, id).irregular for id in (visited.id, ended.id)}
    assert marks == {visited.id: True, ended.id: False}
    assert f"/proposals/{visited.id}" in desk.get("/proposals?show=wrong", headers=HTML).text
    path = f"/matches/{visited.id}"
    due, held = [
        desk.post(f"{API}{path}/steps", json={"step": step, "by": "authority", **view}, headers=tag(desk, path))
        for step, view in (("review_falls_due", {}), ("review_held", CHILDS_VIEW))
    ]
    assert (due.status_code, held.status_code) == (200, 409)
    assert "siblings never share a visitor" in held.text


@pytest.mark.parametrize("siblings", [[], None])
def test_a_child_by_whose_reference_a_file_called_a_family_belongs_to_it(
    service: Service, desk: TestClient, siblings: list[str] | None
) -> None:
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        family = tables.Family(known=True, references=["k-77"])
        session.add(family)
        session.flush()
        sibling = a_child(rows, "N1", family)
        id = sibling.id
    made = desk.post(f"{API}/children", json={"reference": "K-77", "siblings": siblings}).json()["id"]
    found = desk.get(f"{API}/families", params={"child": made}).json()["families"]
    assert [set(one["children"]) for one in found] == [{made, id}]


# ---- live matches that break a core rule by now ----------------------------------------------------------------------


def test_a_match_that_comes_to_break_a_core_rule_is_told_wherever_somebody_looks(
    service: Service, desk: TestClient
) -> None:
    """By a change of the child's facts or of the volunteer's, on the first page, in the list, on both records."""
    held = service.a_match()
    match = desk.get(f"{API}/matches/{held}").json()
    volunteer = f"/volunteers/{match['volunteer']}"
    facts = {"dbs_checked_on": today().strftime("%d/%m/%Y"), "references_accepted": "3", "professional_references": "1"}
    mended = desk.patch(f"{API}{volunteer}", json={"facts": facts}, headers=tag(desk, volunteer)).json()
    assert mended["breaking"] == []
    pages = ("/", "/proposals?show=matches", "/proposals?show=wrong", volunteer)
    assert "without a DBS check in date" not in desk.get(volunteer, headers=HTML).text
    old = {"facts": {"dbs_checked_on": "01/02/2015"}}
    answer = desk.patch(f"{API}{volunteer}", json=old, headers=tag(desk, volunteer)).json()
    assert answer["breaking"] == [held]
    for path in pages:
        page = desk.get(path, headers=HTML).text
        assert f"/proposals/{held}" in page
        assert "ithout a DBS check in date" in page, path
    with service.database.read(service.north) as session:
        query = select(tables.AuditEvent).where(tables.AuditEvent.action == "change volunteer")
        entry = session.scalars(query.order_by(tables.AuditEvent.number.desc())).first()
        assert entry is not None
        assert entry.details["break a rule"] == [held]
    with service.database.write(service.north) as session:  # stopped already: it is asked again before it goes on
        session.get_one(tables.Match, held).state = State.PAUSED
    assert held not in desk.get("/proposals?show=wrong", headers=HTML).text
    assert desk.patch(f"{API}{volunteer}", json=old, headers=tag(desk, volunteer)).json()["breaking"] == []


# ---- exceptions that are withdrawn -----------------------------------------------------------------------------------


def test_a_manager_withdraws_an_exception_and_it_stays_for_the_record(
    service: Service, desk: TestClient, manager: TestClient
) -> None:
    volunteer = service.eligible_pair()[1]
    exception = allows(manager, volunteer, value=3)
    path = f"{API}/exceptions/{exception}/withdraw"
    before = tag(manager, f"/exceptions/{exception}")
    assert desk.post(path, json=WHY, headers=before).status_code == 403
    assert manager.post(path, json=WHY).status_code == 428
    assert manager.post(path, json={}, headers=before).status_code == 422
    told = manager.post(path, json=WHY, headers=before).json()
    assert (told["withdrawn_on"], told["withdrawn_by"], told["breaking"]) == (
        today().isoformat(), "manager of north", []
    )  # fmt: skip
    assert desk.get(f"{API}/volunteers/{volunteer}").json()["capacity"] == 1
    assert manager.post(path, json=WHY, headers=before).status_code == 412
    assert withdraws(manager, exception).status_code == 409
    with service.database.read(service.north) as session:
        instance = Repository(session, service.keys).instance(today())
        assert [one for one in instance.exceptions if one.volunteer == volunteer] == []
        entry = select(tables.AuditEvent).where(tables.AuditEvent.action == "withdraw exception")
        assert [(one.actor, one.subject) for one in session.scalars(entry)] == [
            (service.users["north", Role.MANAGER], exception)
        ]
    allows(manager, volunteer)  # and a manager may allow it once more
    assert desk.get(f"{API}/volunteers/{volunteer}").json()["capacity"] == 2


def test_what_is_withdrawn_is_asked_for_a_run(service: Service, manager: TestClient) -> None:
    exception = allows(manager, service.eligible_pair()[1])
    with service.database.write(service.north) as session:
        for run in session.scalars(select(tables.Run)):
            session.delete(run)
        version = session.get_one(tables.Authority, service.north).data_version
    assert withdraws(manager, exception).status_code == 200
    with service.database.read(service.north) as session:
        assert session.get_one(tables.Authority, service.north).data_version > version
        assert [run.reasons for run in session.scalars(select(tables.Run))] == [["records changed"]]


@pytest.mark.parametrize("state", [State.ACTIVE, State.PROPOSED])
def test_what_is_live_keeps_its_place_and_is_named(
    service: Service, desk: TestClient, manager: TestClient, state: State
) -> None:
    first = service.a_match()
    volunteer = desk.get(f"{API}/matches/{first}").json()["volunteer"]
    exception = allows(manager, volunteer)
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        child = somebody_who_waits(session)
        second = a_match(session, child, rows.volunteer(volunteer), state, place=1)
        session.flush()
    told = withdraws(manager, exception).json()
    assert set(told["breaking"]) == {first, second.id}
    assert desk.get(f"{API}/volunteers/{volunteer}").json()["capacity"] == 2  # nobody loses a visitor by it
    assert desk.get(f"{API}/matches/{first}").json()["state"] == "active"


def test_a_visit_of_which_nobody_can_say_what_it_breaks_is_named(
    service: Service, desk: TestClient, manager: TestClient
) -> None:
    """Of a child who is here by the match alone no rule can be asked, before as after."""
    first = service.a_match()
    match = desk.get(f"{API}/matches/{first}").json()
    exception = allows(manager, match["volunteer"], kind="shorter commitment", value=6)
    with service.database.write(service.north) as session:
        Repository(session, service.keys).child(match["child"]).referral = False
    assert withdraws(manager, exception).json()["breaking"] == [first]


@pytest.mark.parametrize("ends", [0, 1])
@pytest.mark.parametrize("how", ["withdrawn", "policy", "file"])
def test_a_place_that_was_kept_for_a_match_goes_with_it(
    service: Service, desk: TestClient, manager: TestClient, ends: int, how: str
) -> None:
    """Whichever of the two ends, and however the second place came to be one too many: none is told to be free."""
    first = service.a_match()
    volunteer = desk.get(f"{API}/matches/{first}").json()["volunteer"]
    exception = allows(manager, volunteer)
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        child = somebody_who_waits(session)
        second = a_match(session, child, rows.volunteer(volunteer), State.ACTIVE, place=1).id
        if how == "policy":  # two places for each, as the policy said until now
            session.delete(rows.exception(exception))
            session.flush()
            rows.add_policy(rows.policy()[1], user_id=None, reason="one place for each")
    if how != "policy":
        assert withdraws(manager, exception).status_code == 200
    assert desk.get(f"{API}/volunteers/{volunteer}").json()["capacity"] == 2
    over, stays = ((first, second), (second, first))[ends]
    if how == "file":
        with service.database.write(service.north) as session:
            rows = Repository(session, service.keys)
            steps.end_by_file(rows, rows.match(over), by=Party.CHILD, ended_on=None, user_id=None)
    else:
        ending = {"step": "end", "by": "child", "reason": "child does not want this visitor"}
        answer = desk.post(f"{API}/matches/{over}/steps", json=ending, headers=tag(desk, f"/matches/{over}"))
        assert answer.status_code == 200
    told = desk.get(f"{API}/volunteers", params={"size": 200, "free": True}).json()["volunteers"]
    assert volunteer not in {one["id"] for one in told}
    assert desk.get(f"{API}/volunteers/{volunteer}").json()["capacity"] == 1
    assert desk.get(f"{API}/matches/{stays}").json()["state"] == "active"


def test_of_two_who_withdraw_at_once_one_does_and_one_is_told(service: Service, manager: TestClient) -> None:
    exception = allows(manager, service.eligible_pair()[1])
    before, both = tag(manager, f"/exceptions/{exception}"), [manager, service.as_(Role.MANAGER)]

    def withdraw(browser: TestClient) -> int:
        return browser.post(f"{API}/exceptions/{exception}/withdraw", json=WHY, headers=before).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(withdraw, both)) == [200, 412]
    with service.database.read(service.north) as session:
        entries = select(tables.AuditEvent).where(tables.AuditEvent.action == "withdraw exception")
        assert len(session.scalars(entries).all()) == 1


def test_a_relative_is_a_relative_again(service: Service, desk: TestClient, manager: TestClient) -> None:
    child, volunteer = service.eligible_pair()
    enters(desk, f"/volunteers/{volunteer}", known_children=child)
    exception = allows(manager, volunteer, kind="relative as visitor", child=child, value=None)
    assert sentence(desk, child, volunteer, "known_to_child")[0] == "passes"
    assert withdraws(manager, exception).status_code == 200
    assert sentence(desk, child, volunteer, "known_to_child")[0] == "fails"


@pytest.mark.parametrize("value", ["2", "3", ""])
def test_no_file_allows_again_what_a_manager_has_withdrawn(
    service: Service, desk: TestClient, manager: TestClient, small_county: Reading, value: str
) -> None:
    reference = small_county.grids["volunteers"].rows[0][1][0]
    found = desk.get(f"{API}/volunteers", params={"size": 200}).json()["volunteers"]
    exception = allows(manager, next(one["id"] for one in found if one["reference"] == reference))
    row = f"second child,{reference},{value},for a while,A manager,02/10/2026\n"
    files = [one for one in files_of(small_county) if one[1][0] != "exceptions.csv"]
    sheet = "kind,volunteer_id,value,reason,approved_by,approved_on\n" + row
    files.append(("files", ("exceptions.csv", sheet.encode())))
    told = desk.post(f"{API}/imports/check", files=files).json()["weaker"]
    assert value != "2" or told == []  # it is here, and in force
    assert withdraws(manager, exception).status_code == 200
    (weaker,) = desk.post(f"{API}/imports/check", files=files).json()["weaker"]
    assert "A manager has withdrawn that" in weaker["sentence"]
    reading = read_files({name: content for _, (name, content) in files}, today())
    with pytest.raises(InputError, match="safeguards would weaken"), service.database.write(service.north) as session:
        importing.take_in(Repository(session, service.keys), reading, today(), user_id=None)  # as `kith import` does


# ---- organisations that are renamed ----------------------------------------------------------------------------------


@pytest.fixture
def bluebell(desk: TestClient) -> str:
    return str(desk.post(f"{API}/organisations", json={"name": "Bluebell Homes Ltd"}).json()["id"])


def renames(browser: TestClient, organisation: str, name: str) -> Any:
    path = f"/organisations/{organisation}"
    return browser.patch(f"{API}{path}", json={"name": name}, headers=tag(browser, path))


def test_an_organisation_has_one_name_and_nobody_else_has_it(desk: TestClient, bluebell: str) -> None:
    for name in ("Bluebell Homes Ltd", "the BLUEBELL HOMES"):
        assert desk.post(f"{API}/organisations", json={"name": name}).status_code == 409
    before = tag(desk, f"/organisations/{bluebell}")
    told = renames(desk, bluebell, "Sunrise Care").json()
    assert (told["name"], told["former"]) == ("Sunrise Care", ["Bluebell Homes Ltd"])
    late = desk.patch(f"{API}/organisations/{bluebell}", json={"name": "Other"}, headers=before)
    assert late.status_code == 412
    assert desk.post(f"{API}/organisations", json={"name": "Bluebell Homes"}).status_code == 409  # it was this one's
    other = desk.post(f"{API}/organisations", json={"name": "Moonlight"}).json()["id"]
    assert renames(desk, other, "Sunrise Care Limited").status_code == 409
    for name in ("Ltd", "none", "One; Two"):
        assert renames(desk, other, name).status_code == 422
    assert renames(desk, bluebell, "Bluebell Homes").json()["former"] == ["Sunrise Care"]


@pytest.mark.parametrize("entered", ["before", "after"])
def test_who_belongs_to_an_organisation_does_so_under_each_of_its_names(
    service: Service, desk: TestClient, bluebell: str, entered: str
) -> None:
    """Whether their facts were written under the old name or the new, and on whichever side of the pair."""
    child, volunteer = service.eligible_pair()
    manager, why = service.as_(Role.MANAGER), "recorded by mistake"  # whatever the two had before is gone by it
    enters(manager, f"/children/{child}", why, provider="The Bluebell Homes")
    if entered == "before":
        enters(manager, f"/volunteers/{volunteer}", why, organisations="Bluebell Homes")
    assert renames(desk, bluebell, "Sunrise Care").json()["breaking"] == []
    if entered == "after":
        enters(manager, f"/volunteers/{volunteer}", why, organisations="Sunrise Care Ltd")
    verdict, told = sentence(desk, child, volunteer, "independent_of_provider")
    assert (verdict, "Sunrise Care" in told) == ("fails", True)
    with service.database.read(service.north) as session:
        actions = session.scalars(select(tables.AuditEvent.action).where(tables.AuditEvent.subject == bluebell))
        assert list(actions) == ["add organisation", "rename organisation"]


@pytest.mark.parametrize(
    ("provider", "belongs_to"),
    [("Bluebell Homes", "Trustee of Bluebell Homes"), ("Bluebell Home", "Bluebell Homes"),
     ("Bluebell Homes", "Bluebell Homes and Acme"), ("Sunrise Care", "trustee of Bluebell Homes")],
)  # fmt: skip
def test_what_may_be_an_organisation_by_its_former_name_may_be_so_under_the_new_one(
    desk: TestClient, service: Service, bluebell: str, provider: str, belongs_to: str
) -> None:
    """A new letterhead must not let pass whom the old one kept away."""
    child, volunteer = service.eligible_pair()
    manager = service.as_(Role.MANAGER)
    enters(manager, f"/children/{child}", "recorded by mistake", provider=provider)
    enters(manager, f"/volunteers/{volunteer}", "recorded by mistake", organisations=belongs_to)
    assert renames(desk, bluebell, "Sunrise Care").status_code == 200
    assert sentence(desk, child, volunteer, "independent_of_provider")[0] == "fails"
    enters(
        service.as_(Role.MANAGER), f"/volunteers/{volunteer}", "recorded by mistake", organisations="Moonlight Trust"
    )
    assert sentence(desk, child, volunteer, "independent_of_provider")[0] == "passes"


def test_an_accent_is_one_sign_however_a_name_was_typed(service: Service, desk: TestClient, bluebell: str) -> None:
    """As a letter and an accent apart, as some programs write it, it would be another organisation than in facts."""
    child, volunteer = service.eligible_pair()
    enters(service.as_(Role.MANAGER), f"/children/{child}", "recorded by mistake", provider="Bluebell Homes")
    assert renames(desk, bluebell, "Cafe\u0301 Homes").status_code == 200
    manager = service.as_(Role.MANAGER)
    enters(manager, f"/volunteers/{volunteer}", "recorded by mistake", organisations="Caf\u00e9 Homes")
    assert sentence(desk, child, volunteer, "independent_of_provider")[0] == "fails"


def test_an_organisation_is_shown_as_it_was_written_and_another_spelling_loses_nobody(
    service: Service, desk: TestClient
) -> None:
    """On pages, in forms and in what rules say; a coordinator corrects the spelling, and needs no manager for it."""
    child, volunteer = service.eligible_pair()
    manager = service.as_(Role.MANAGER)
    enters(manager, f"/children/{child}", "recorded by mistake", provider="The Bluebell Home's (Kettering) Ltd")
    enters(manager, f"/volunteers/{volunteer}", "recorded by mistake", organisations="bluebell homes kettering")
    for page in (f"/children/{child}", f"/children/{child}/change/placement"):
        assert "The Bluebell Home&#39;s (Kettering) Ltd" in desk.get(page).text
    verdict, told = sentence(desk, child, volunteer, "independent_of_provider")
    assert verdict == "fails"
    assert "a part in The Bluebell Home's (Kettering) Ltd, which accommodates" in told
    enters(desk, f"/volunteers/{volunteer}", organisations="Bluebell Homes (Kettering)")
    assert sentence(desk, child, volunteer, "independent_of_provider")[0] == "fails"
    answer = desk.patch(
        f"{API}/volunteers/{volunteer}", headers=tag(desk, f"/volunteers/{volunteer}"),
        json={"facts": {"organisations": "Bluebell Homes"}},
    )  # fmt: skip
    assert answer.status_code == 422  # of which another organisation is part: that takes a manager


def test_what_was_kept_in_small_letters_is_the_same_organisation_as_a_file_writes_it(
    service: Service, desk: TestClient
) -> None:
    """As a former version of Kith kept it: the name that is written takes its place, and no safeguard weakens."""
    child, volunteer = service.eligible_pair()
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        one, other = rows.child(child), rows.volunteer(volunteer)
        named = one.reference, other.reference
        rows.write_child(one, replace(rows.child_record(one, False), provider=("bluebell homes",)))
        rows.write_volunteer(other, replace(rows.volunteer_record(other), organisations=("bluebell homes",)))
        session.add(tables.Organisation(name="Sunrise Care", former=["bluebell homes"]))
    assert "Sunrise Care" in sentence(desk, child, volunteer, "independent_of_provider")[1]
    files = [
        ("files", ("children.csv", f"child_id,provider\n{named[0]},The Bluebell Homes Ltd\n".encode())),
        ("files", ("volunteers.csv", f"volunteer_id,organisations\n{named[1]},Bluebell Homes\n".encode())),
    ]
    told = desk.post(f"{API}/imports/check", files=files).json()
    assert [(one["sheet"], one["fields"]) for one in told["changed"]] == [
        ("children", ["provider"]), ("volunteers", ["organisations"]),
    ]  # fmt: skip
    assert told["weaker"] == []
    assert desk.post(f"{API}/imports", files=files, data={"stamp": told["stamp"]}).status_code == 201
    assert desk.post(f"{API}/imports/check", files=files).json()["changed"] == []
    verdict, told = sentence(desk, child, volunteer, "independent_of_provider")
    assert (verdict, "Sunrise Care" in told) == ("fails", True)


def test_a_visit_that_a_new_name_shows_to_break_the_rule_is_named(
    service: Service, desk: TestClient, bluebell: str
) -> None:
    match = desk.get(f"{API}/matches/{service.a_match()}").json()
    enters(desk, f"/children/{match['child']}", provider="Bluebell Homes")
    enters(desk, f"/volunteers/{match['volunteer']}", organisations="Sunrise Care")
    assert renames(desk, bluebell, "Sunrise Care").json()["breaking"] == [match["id"]]

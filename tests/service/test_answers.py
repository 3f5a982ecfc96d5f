"""What the matcher answers is what the document says, field by field, and so are the examples in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from conftest import Service
from service_rows import a_child
from sqlalchemy import select

from service import plans, runs
from service.api import answers, policies
from service.api.answers import Answer
from service.database import tables
from service.permissions import Role
from service.repository import Repository

API = "/api/v1"


def shapes(of: type[Answer] = Answer) -> Iterator[type[Answer]]:
    for one in of.__subclasses__():
        yield one
        yield from shapes(one)


def test_an_example_is_an_answer() -> None:
    told = 0
    for shape in shapes():
        for example in shape.model_json_schema().get("examples", []):
            assert shape.model_validate(example).model_dump(by_alias=True) == example
            told += 1
    assert told >= 10


@pytest.fixture
def run(service: Service) -> str:
    """A run with its plan, of data that changed once since the run before."""

    def once() -> str:
        with service.database.write(service.north) as session:
            runs.ask_for(session, service.north, "manual")
        held = runs.take(service.database, service.north)
        assert held is not None
        plans.make(service.database, service.keys, held, lambda _: None)
        return held.run_id

    once()
    child = service.eligible_pair()[0]
    with service.database.write(service.north) as session:
        rows = Repository(session, service.keys)
        record = rows.child_record(rows.child(child), family_known=True)
        rows.write_child(rows.child(child), replace(record, coordinator="A. Coordinator"))
        session.add(tables.Declined(child_id=child, volunteer_id=service.eligible_pair()[1]))
        a_child(rows, "new")  # of whom nothing is recorded: nobody is eligible
    return once()


@pytest.mark.parametrize("role", [Role.COORDINATOR, Role.ANALYST])
def test_an_answer_has_the_fields_that_the_document_tells_and_no_other(service: Service, role: Role, run: str) -> None:
    child, volunteer = service.eligible_pair()
    with service.database.read(service.north) as session:
        new = session.scalars(select(tables.Child.id).where(tables.Child.reference == "new")).one()
    browser = service.as_(role)
    paths: dict[str, type[Answer]] = {
        f"children/{child}/shortlist": answers.Shortlist,  # as the run kept it
        f"children/{child}/shortlist?top=50": answers.Shortlist,
        f"children/{child}/shortlist?rank_by=fit&top=50": answers.Shortlist,
        f"children/{new}/shortlist": answers.Shortlist,
        f"volunteers/{volunteer}/shortlist": answers.VolunteerShortlist,
        f"children/{child}/excluded": answers.Excluded,
        f"children/{new}/excluded": answers.Excluded,
        f"children/{child}/volunteers/{volunteer}/explanation": answers.Explanation,
        f"children/{new}/volunteers/{volunteer}/explanation": answers.Explanation,
        f"runs/{run}/plan": answers.RunPlan,
        f"runs/{run}/changes": answers.Changes,
        "policies/current": policies.WholePolicy,
        "policies/1": policies.WholePolicy,
    }
    document = browser.get(f"{API}/openapi.json").json()["paths"]
    told = {
        method["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for methods in document.values()
        for method in methods.values()
        if "$ref" in method["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
    }
    for path, shape in paths.items():
        answer = browser.get(f"{API}/{path}")
        assert answer.status_code == 200, path
        assert shape.model_validate(answer.json()).model_dump(by_alias=True) == answer.json(), path
        assert shape.__name__ in told


def test_a_coordinator_sees_whose_shortlists_changed_of_their_children(service: Service, run: str) -> None:
    child, path = service.eligible_pair()[0], f"{API}/runs/{run}/changes"
    desk, theirs = service.as_(Role.COORDINATOR), {"coordinator": "A. Coordinator"}
    everybody = {one["child"] for one in desk.get(path).json()["shortlists"]}
    assert len(everybody) > 1
    assert {one["child"] for one in desk.get(path, params=theirs).json()["shortlists"]} == {child}
    assert desk.get(path, params={"coordinator": "Nobody"}).json()["shortlists"] == []
    assert service.as_(Role.ANALYST).get(path, params=theirs).json()["shortlists"] == []

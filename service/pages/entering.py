"""Children and volunteers entered and changed by hand: what `people` does, as forms made from the columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import TypeAdapter, ValidationError

from matcher import records
from matcher.errors import InputError, NotFoundError, Problem
from matcher.gaps import needed
from matcher.instance import today
from matcher.reading.cells import RefusedError, written_day
from matcher.reading.sheets import CHILDREN, VOLUNTEERS, Sheet
from service import findings, holds, people, safeguards
from service.api.deps import Asking, Installation, Kith, attempt, note_reading
from service.api.shapes import ChildId, Reference, VolunteerId
from service.auth import Person
from service.database import tables
from service.doubles import MOST, Births
from service.families import ApartError
from service.pages import forms
from service.pages.html import render
from service.pages.labels import TITLES
from service.pages.reckoning import reckoning
from service.pages.siblings import all_the_same, named_siblings
from service.permissions import Permission
from service.proposals import TakenError
from service.repository import Repository

router = APIRouter()

_REFERENCE: TypeAdapter[str] = TypeAdapter(Reference)


async def form(request: Request) -> dict[str, str]:
    """What a form says, field by field. Which fields there are depends on the columns, so no model lists them.

    Of a list what was ticked, between semicolons as it would be typed. A blank goes with each, so that nothing ticked
    is not the same as a form without the list.
    """
    given: dict[str, list[str]] = {}
    for name, value in (await request.form()).multi_items():
        if isinstance(value, str):
            given.setdefault(name, []).append(value.strip())
    return {name: "; ".join(filter(None, values)) for name, values in given.items()}


Given = Annotated[dict[str, str], Depends(form)]


@dataclass(frozen=True)
class Side:
    """Children or volunteers: the columns of their facts, and the rooms that read and write them."""

    word: str
    sheet: Sheet
    blank: Any
    row: Callable[[Repository, str], Any]
    record: Callable[[Repository, Any], Any]
    change: Callable[..., object]

    def page(self, id: str) -> str:
        return f"/{self.sheet.name}/{id}"


def _volunteer(rows: Repository, row: tables.Volunteer) -> records.Volunteer:
    """With the children whom they know by reference, as a person would write them."""
    record = rows.volunteer_record(row)
    if record.known_children is None:
        return record
    return replace(record, known_children=tuple(rows.child(id).reference for id in record.known_children))


CHILD = Side("child", CHILDREN, records.Child(""), Repository.child,
             lambda rows, row: rows.child_record(row, family_known=True), people.change_child)  # fmt: skip
VOLUNTEER = Side("volunteer", VOLUNTEERS, records.Volunteer(""), Repository.volunteer, _volunteer,
                 people.change_volunteer)  # fmt: skip


# ---- new ones --------------------------------------------------------------------------------------------------------


@router.get("/children/new")
def new_child(request: Request, person: Asking, kith: Kith) -> Response:
    return _new(request, person, kith, CHILD)


@router.post("/children/new")
def add_child(request: Request, person: Asking, kith: Kith, given: Given) -> Response:
    def add(rows: Repository, reference: str, facts: Mapping[str, str]) -> str:
        siblings = named_siblings(rows.references(), given.get("siblings", ""))
        meant = given.get("meant", "").split(";")
        return people.add_child(rows, reference, facts, siblings, user_id=person.user_id, although=meant,
                                said=given.get("said", "")).id  # fmt: skip

    return _add(request, person, kith, CHILD, given, add)


@router.get("/volunteers/new")
def new_volunteer(request: Request, person: Asking, kith: Kith) -> Response:
    return _new(request, person, kith, VOLUNTEER)


@router.post("/volunteers/new")
def add_volunteer(request: Request, person: Asking, kith: Kith, given: Given) -> Response:
    def add(rows: Repository, reference: str, facts: Mapping[str, str]) -> str:
        return people.add_volunteer(rows, reference, facts, user_id=person.user_id).id

    return _add(request, person, kith, VOLUNTEER, given, add)


def _add(
    request: Request, person: Person, kith: Installation, side: Side, given: Mapping[str, str],
    add: Callable[[Repository, str, Mapping[str, str]], str],
) -> Response:  # fmt: skip
    errors: dict[str, str] = {}
    given = forms.understood(side.sheet, given)
    try:
        reference = _REFERENCE.validate_python(given.get("reference", ""))
    except ValidationError:
        errors["reference"] = "Give the council’s own reference, in letters, digits and simple signs. Never a name."
    made = [one for part in forms.PARTS[side.sheet.name] for one in _fields(person, side, part, side.blank, given)]
    doubles: list[tuple[str, str]] = []
    if not errors and not any(one.error for one in made):
        try:
            facts = forms.changed(made, given)
            doubles = _doubles(person, kith, side, facts, given)
            if {id for id, _ in doubles} <= {*given.get("others", "").split()}:
                with kith.database.write(person.authority_id) as session:
                    id = add(Repository(session, kith.keys), reference, facts)
                return _saved_page(side, id, facts)
        except TakenError as error:
            errors["reference"] = str(error)
        except NotFoundError as error:
            errors["siblings"] = str(error)
        except ApartError as error:
            errors |= {"siblings": all_the_same(error), "apart": ";".join(error.apart)}
        except InputError as error:
            errors |= _by_field(error)
    return _new(request, person, kith, side, given, errors, doubles)


def _doubles(
    person: Person, kith: Installation, side: Side, facts: Mapping[str, str], given: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Who may be the same as somebody about to be added, id and reference: but for whom the form names as siblings."""
    with kith.database.read(person.authority_id) as session:
        rows = Repository(session, kith.keys)
        reckoned = reckoning(kith, person, rows)
        siblings = named_siblings(rows.references(), given.get("siblings", "")) if side is CHILD else []
    there = reckoned.instance.children if side is CHILD else reckoned.instance.volunteers
    like = Births(there).like(people.read_facts(side.sheet, facts, side.blank))
    found = ((id, reckoned.references[id]) for id in like if id not in (siblings or ()))
    named = sorted(found, key=lambda one: one[1])[:MOST]
    if named and side is CHILD:
        note_reading(kith, person, "children", "", children=[id for id, _ in named])
    return named


def _new(
    request: Request, person: Person, kith: Installation, side: Side, given: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None, doubles: Collection[tuple[str, str]] = (),
) -> Response:  # fmt: skip
    with kith.database.read(person.authority_id) as session:
        rows = Repository(session, kith.keys)
        coordinators = rows.coordinators() if side is CHILD else []
        needs = needed(side.blank, rows.policy()[1], today())
    parts = {
        TITLES[side.sheet.name][part]: _fields(person, side, part, side.blank, given, errors, needs)
        for part in forms.PARTS[side.sheet.name]
    }
    return render(
        request, "facts-form.html", person, status=200 if given is None else 422, side=side, row=None, parts=parts,
        errors=errors or {}, given=given or {}, title=f"Add a {side.word}", back=f"/{side.sheet.name}", moved=False,
        words_of=forms.words_of, coordinators=coordinators, needs=needs, agrees=None, weaker=[], resolves=False,
        doubles=doubles,
    )  # fmt: skip


# ---- changes ---------------------------------------------------------------------------------------------------------


@router.get("/children/{child_id}/change/{part}")
def child_form(
    child_id: ChildId, part: Literal["about", "wishes", "placement", "referral"], request: Request, person: Asking,
    kith: Kith,
) -> Response:  # fmt: skip
    return _change(request, person, kith, CHILD, child_id, part)


@router.post("/children/{child_id}/change/{part}")
def change_child(
    child_id: ChildId, part: Literal["about", "wishes", "placement", "referral"], request: Request, person: Asking,
    kith: Kith, given: Given,
) -> Response:  # fmt: skip
    return _change(request, person, kith, CHILD, child_id, part, given)


@router.get("/volunteers/{volunteer_id}/change/{part}")
def volunteer_form(
    volunteer_id: VolunteerId, part: Literal["about", "offer", "checks", "independence"], request: Request,
    person: Asking, kith: Kith,
) -> Response:  # fmt: skip
    return _change(request, person, kith, VOLUNTEER, volunteer_id, part)


@router.post("/volunteers/{volunteer_id}/change/{part}")
def change_volunteer(
    volunteer_id: VolunteerId, part: Literal["about", "offer", "checks", "independence"], request: Request,
    person: Asking, kith: Kith, given: Given,
) -> Response:  # fmt: skip
    return _change(request, person, kith, VOLUNTEER, volunteer_id, part, given)


def _change(
    request: Request, person: Person, kith: Installation, side: Side, id: str, part: str,
    given: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    """The form of a part; with what was typed where it cannot be saved, and otherwise the page of whom it is about."""
    errors: Mapping[str, str] = {}
    weaker: list[str] = []
    if given is not None:
        given = forms.understood(side.sheet, given)
        try:
            facts = attempt(kith, person, lambda rows: _saved(person, rows, side, id, part, given))
            if facts is not None:
                return _saved_page(side, id, facts)
        except safeguards.WeakerError as error:
            errors, weaker = _by_field(error), [one.wrong for one in error.problems]
        except InputError as error:
            errors = _by_field(error)
    # A form that comes back shows what is recorded now, as the first one did.
    if side is CHILD:
        note_reading(kith, person, "record", id)
    with kith.database.read(person.authority_id) as session:
        rows = Repository(session, kith.keys)
        row = side.row(rows, id)
        record = side.record(rows, row)
        needs = needed(record, rows.policy()[1], today())
        made = _fields(person, side, part, record, given, errors, needs)
        coordinators = rows.coordinators() if side is CHILD else []
        raised, names = findings.said(rows, row) if Permission.APPROVE in person.may else [], rows.account_names()
        known = record.known_children or () if "known_children" in forms.PARTS[side.sheet.name][part] else ()
        children = sorted(id for id, reference in rows.references().items() if reference in known) if known else []
    if children:
        note_reading(kith, person, "volunteer", "", children=children, volunteer=id)
    title = TITLES[side.sheet.name][part]
    moved = given is not None and str(row.version) != given.get("version")
    asks = any(one.name == "agrees" for one in made)
    return render(
        request, "facts-form.html", person, status=200 if given is None else 409 if moved else 422, side=side, row=row,
        parts={"": made}, errors=errors, given=given or {}, title=title, back=side.page(id), moved=moved,
        words_of=forms.words_of, coordinators=coordinators, needs=needs, weaker=weaker, why=safeguards.WHY,
        asked_by=people.ASKED_BY, agrees=record.agrees or "not asked" if asks else None,
        manager=Permission.APPROVE in person.may, resolves=_resolves(person, side, record, made),
        said=raised, names=names,
    )  # fmt: skip


def _resolves(person: Person, side: Side, record: Any, made: Collection[forms.Field]) -> bool:
    """Whether a form is where a child's safeguarding issue is closed, by whoever may."""
    here = side is CHILD and any(one.name == holds.FACT for one in made)
    return here and record.safeguarding_issue is True and Permission.APPROVE in person.may


def _saved_page(side: Side, id: str, facts: Mapping[str, str]) -> Response:
    """The page of whom something was saved; it says whether a coordinator who was named has an account."""
    what = forms.COORDINATOR if facts.get(forms.COORDINATOR) else "yes"
    return RedirectResponse(f"{side.page(id)}?saved={what}", 303)


def _saved(
    person: Person, rows: Repository, side: Side, id: str, part: str, given: Mapping[str, str]
) -> Mapping[str, str] | None:
    """What was saved; None where nothing could be: somebody changed it meanwhile, or a field is wrong."""
    row = side.row(rows, id)
    made = _fields(person, side, part, side.record(rows, row), given)
    if str(row.version) != given.get("version") or any(one.error for one in made):
        return None
    facts = forms.changed(made, given)
    if side is CHILD and given.get("found") and holds.FACT not in facts:
        raise InputError("What was found, of what?", [_STILL_OPEN])
    if facts or (side is CHILD and given.get("said")):
        side.change(rows, row, facts, user_id=person.user_id, **_besides(person, side, facts, given))
    return facts


_STILL_OPEN = Problem(
    CHILDREN.name, 0, "found", "", "is kept as the issue is closed, and it stands as unresolved",
    "Say that it is resolved as well, or leave this blank",
)  # fmt: skip


def _besides(person: Person, side: Side, facts: Mapping[str, str], given: Mapping[str, str]) -> dict[str, Any]:
    """What a form says of a change besides the facts: why a safeguard may weaken, and of a child's word whose it is."""
    said: dict[str, Any] = {"why": given.get("why") if Permission.APPROVE in person.may else None}
    if side is CHILD:
        said |= {"found": given.get("found", ""), "said": given.get("said", "")}
    if side is CHILD and "agrees" in facts:
        said["no_by"] = given.get("no_by")
        said["asked"] = _asked(given) if facts["agrees"] == "yes" else None
    return said


def _asked(given: Mapping[str, str]) -> people.Asked:
    """Raises InputError for a day that cannot be read."""
    try:
        on = written_day(given.get("asked_on", ""))
    except RefusedError as error:
        wrong, remedy = error.wrong, "Say on which day the child said yes"
        problem = Problem(CHILDREN.name, 0, "asked_on", "", wrong if given.get("asked_on") else "is missing", remedy)
        raise InputError("When?", [problem]) from None
    return people.Asked(given.get("asked_by", ""), on)


def _fields(
    person: Person, side: Side, part: str, record: Any, given: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None, needs: Collection[str] = (),
) -> list[forms.Field]:  # fmt: skip
    manager = Permission.APPROVE in person.may
    return forms.fields(side.sheet, part, record, manager=manager, given=given, errors=errors, needed=needs)


def _by_field(error: InputError) -> dict[str, str]:
    if not error.problems:
        return {"": str(error)}
    return {one.column: f"{one.wrong[:1].upper()}{one.wrong[1:]}. {one.remedy}.".replace("..", ".")
            for one in error.problems}  # fmt: skip

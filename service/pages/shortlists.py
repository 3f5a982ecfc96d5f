"""A child's shortlist: who could visit, why, what each choice means for the others, and who could not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from matcher import records
from matcher.explain import NOT_ASKED, Points, in_short, why_nobody
from matcher.records import Agreement
from matcher.rules.child import ChildAgrees
from matcher.shortlist import Candidate
from matcher.whatif import Nearly, farther, one_rule_away
from matcher.words import day, first_upper, listed, spoken
from matcher.writing.xlsx import DATE, WHOLE, Book, Field
from service.api.deps import Asking, Installation, Kith, Reading, note_reading
from service.api.shapes import ChildId
from service.auth import Person
from service.pages import facts, journeys
from service.pages.forms import fill_in
from service.pages.html import MOVING, as_workbook, journey, long_day, render
from service.pages.labels import label
from service.pages.lists import LONG, Page
from service.pages.reckoning import MOST, SHORT, Reckoned, Reckoning
from service.permissions import Permission
from service.published import TELLS_OF_OTHERS
from service.repository import ids_in
from service.workflow import StepRefusedError

router = APIRouter(prefix="/children")

Rank = Literal["plan", "fit"]
Ticked = Annotated[list[str] | None, Query(alias="with", max_length=MOST + 1)]
"""The volunteers to be compared: of the first ones, and of the published plan."""
SIDE_BY_SIDE = 3
RULES_TOLD, TOLD = 4, 8
"""Rules that alone keep somebody away, and volunteers of each, that the page names."""


@dataclass(frozen=True)
class Bar:
    """What one score gives: its points of as many as it could give this pair."""

    label: str
    points: int
    most: int
    words: str
    counts: bool

    @property
    def length(self) -> int:
        """In hundredths."""
        return min(100, round(100 * self.points / self.most)) if self.most else 0

    @property
    def of_most(self) -> str:
        return f"{self.points} of {self.most}" if self.counts else "not known"


@dataclass(frozen=True)
class Note:
    """What to know of a pair before it is chosen; `alarm` is the part that must not be overlooked."""

    alarm: str
    words: str

    def __str__(self) -> str:
        return " ".join(filter(None, (self.alarm, self.words)))


@dataclass(frozen=True)
class Card:
    """One volunteer of a shortlist as the page shows them."""

    candidate: Candidate
    volunteer: records.Volunteer
    reference: str
    age: int | None
    bars: Sequence[Bar]
    lapse: str
    """The first of their checks to lapse within two months, in words."""
    times_apart: bool
    elsewhere: Sequence[str] = ()
    """The ids of other children for whom the published plan proposes them."""
    published_on: str = ""
    looked_into: str = ""
    """That there was a concern about them, when it was closed, and how; nothing where there was none."""
    not_asked: Sequence[str] = ()
    """What is recorded against them of which the policy asks nothing."""

    @property
    def to_know(self) -> list[Note]:
        """The same wherever the pair is chosen: on the shortlist, side by side with others, and as it is proposed."""
        checks = Note("", "All checks that this policy asks for are in date for two months or more.")
        found = [Note("", told) for told in (self.looked_into, self.planned) if told]
        found += (Note(told, NOT_ASKED) for told in self.not_asked)
        found.append(Note(f"A check lapses soon: {self.lapse}.", "") if self.lapse else checks)
        if self.times_apart:
            found.append(Note("No time that suits both is recorded.", "Ask both first when visits could be."))
        if share := round(self.candidate.unknown / 10):
            found.append(Note("", f"{share}% of what fit rests on is not recorded."))
        return [*found, *(Note("", words) for words in self.candidate.notes.values())]

    @property
    def planned(self) -> str:
        """What the published plan says of them, where another child would go without: that child's reference alone."""
        if not self.elsewhere:
            return ""
        others = "another child" if len(self.elsewhere) == 1 else "other children"
        return (
            f"In the plan published on {self.published_on} this volunteer is for {others} ({listed(self.elsewhere)}), "
            "and nobody is proposed there yet."
        )

    @property
    def sentences(self) -> list[str]:
        """What it says of them, which may name other children."""
        effect = self.candidate.effect
        return [self.candidate.why, self.planned, *([effect.sentence] if effect else [])]


def cards(reckoned: Reckoning, child_id: str, by_plan: bool) -> list[Card]:
    """The first of the volunteers who could visit."""
    return as_cards(reckoned, reckoned.shortlist(child_id, by_plan))


def as_cards(reckoned: Reckoning, candidates: Sequence[Candidate]) -> list[Card]:
    found, plan = [], reckoned.planned.plan
    for candidate in candidates:
        volunteer = reckoned.instance.volunteer(candidate.volunteer)
        lapse = reckoned.first_lapse.get(volunteer.id)
        found.append(
            Card(
                candidate, volunteer, reckoned.references[volunteer.id],
                facts.age(volunteer.date_of_birth, reckoned.instance.as_of), bars(candidate.scores),
                f"{facts.CHECK_NAMES[lapse.rule]} on {day(lapse.on)}" if lapse and lapse.on else "",
                _times_apart(reckoned.instance.child(candidate.child), volunteer),
                reckoned.planned.elsewhere(candidate.child, volunteer.id), long_day(plan.published_at) if plan else "",
                reckoned.looked_into.get(volunteer.id, ""), reckoned.not_asked.get(volunteer.id, ()),
            )
        )  # fmt: skip
    return found


def _times_apart(child: records.Child, volunteer: records.Volunteer) -> bool:
    """Whether no time suits both, of those that they have said: no rule forbids it, and no visit may be possible."""
    both_said = child.free_times and volunteer.free_times is not None
    return bool(both_said) and set(child.free_times or ()).isdisjoint(volunteer.free_times or ())


def in_a_row(shown: Sequence[Card]) -> int:
    """How many of the first stand on it: whom the published plan proposes may come far after them."""
    return sum(card.candidate.rank == number for number, card in enumerate(shown, 1))


def note_shown(
    kith: Installation, person: Person, child_id: str, shown: Sequence[Card], besides: Sequence[str] = (),
    **details: object,
) -> None:  # fmt: skip
    """Enters in the audit log that a shortlist is read, and the other children whom it names, `besides` among it."""
    sentences = [*besides, *(one for card in shown for one in card.sentences)]
    others = {child for one in sentences for child in ids_in(one, "C")} - {child_id}
    note_reading(kith, person, "shortlist", child_id, children=sorted(others), **details)


def standing(shown: Sequence[Card]) -> Rank:
    """The order in which cards stand: by fit, whatever was asked for, while their effects are being worked out.

    What leads on from a page carries this one, so that a proposal is held against the order that somebody saw.
    """
    return "plan" if any(card.candidate.effect for card in shown) else "fit"


def why_first(reckoned: Reckoning, child_id: str, shown: Sequence[Card]) -> str:
    """Why another volunteer comes first than who fits best, where one does: the order would pass for a mistake.

    Nothing of another child is in it: what each choice means for them stands with the volunteer.
    """
    if standing(shown) == "fit":
        return ""
    (best,) = reckoned.who_could(child_id, 0, 1, ())
    first, name = shown[0].candidate, reckoned.references[best.volunteer]
    if first.effect is None or not first.effect.exact or best.fit <= first.fit:
        return ""
    loses = "loses nothing" if first.effect.loss <= 0 else "loses least"
    return (
        f"{shown[0].reference} comes first because the plan for all the children who wait {loses} by that choice. "
        f"{name} fits this child best ({best.fit} of 1,000, against {first.fit}), and comes later because of what the "
        "choice would mean for the others."
    )


def bars(scores: Sequence[Points]) -> list[Bar]:
    counted = sum(one.weight or 0 for one in scores if one.counts == "known")
    return [
        Bar(
            first_upper(spoken(one.id)), one.points,
            max(one.points, round(1000 * (one.weight or 0) / counted)) if counted else 0, one.sentence,
            one.counts == "known",
        )
        for one in scores
        if one.counts != "does not apply"
    ]  # fmt: skip


def waiting(rows: Reading, reckoned: Reckoning, child_id: str) -> records.Child:
    """Raises NotFoundError, or StepRefusedError for a child with a visitor."""
    rows.child(child_id)
    if child_id in reckoned.instance.visited:
        raise StepRefusedError("The child has a visitor now, and is not waiting.")
    return reckoned.instance.waiting_child(child_id)


@router.get("/{child_id}/shortlist")
def shortlist_page(
    child_id: ChildId,
    request: Request,
    person: Asking,
    kith: Kith,
    rows: Reading,
    reckoned: Reckoned,
    rank: Rank = "plan",
    everybody: Literal["yes", ""] = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    ticked: Ticked = None,
) -> Response:
    child, instance = waiting(rows, reckoned, child_id), reckoned.instance
    why = why_nobody(instance, child_id)
    could = len(instance.volunteers) - sum(why.excluded.values())
    away, beyond = one_rule_away(instance, child_id, told=TOLD), farther(instance, child_id)
    fill = _to_fill(reckoned, child_id, away)
    nearly = [one for one in away if not (one.core and one.recorded)][:RULES_TOLD]
    own_word = next((len(one.volunteers) for one in away if one.rule == ChildAgrees.id), 0)
    unsaid = child.agrees is Agreement.NOT_ASKED and child_id not in reckoned.beyond_a_visitor
    planned = reckoned.planned.volunteer_of.get(child_id)
    against = reckoned.planned.against(child_id) if planned else ""
    # Last, since whoever works out its effects has the interpreter besides from then on.
    shown = cards(reckoned, child_id, rank == "plan")
    kept_away = [reason for one in nearly if one.rule not in TELLS_OF_OTHERS for reason in one.reasons]
    note_shown(kith, person, child_id, shown, [why.reason, against, *kept_away])
    named = {card.volunteer.id for card in shown}

    def more(skip: int, top: int) -> Sequence[Card]:
        return as_cards(reckoned, reckoned.who_could(child_id, skip, top, named))

    # To look at all of them closely takes its time where they are hundreds: a page of them, and for who asks.
    asked = {"rank": rank, "everybody": "yes"}
    others = Page.made(could - len(shown), more, page, asked, LONG) if everybody and could > len(shown) else None
    return render(
        request, "shortlist.html", person,
        child=child, reference=reckoned.references[child_id], rank=rank, standing=standing(shown),
        cards=shown, map=journeys.picture(child, [(card.candidate.rank, card.volunteer) for card in shown]),
        why=reckoned.told(why.reason), excluded=_excluded(why.excluded), most_told=TOLD,
        nearly=nearly, core_alone=len(away) > len(nearly), unsaid=unsaid, own_word=own_word,
        planned=planned, against=reckoned.told(against), plan=reckoned.planned.plan,
        why_first=why_first(reckoned, child_id, shown),
        first=in_a_row(shown), could=could, everybody=everybody, ticked=ticked or (), to_fill=fill,
        others_who_could=others,
        farther=beyond, others=TELLS_OF_OTHERS, short=SHORT,
        references=reckoned.references,
        told=reckoned.told, live=reckoned.live.get(child_id), place=facts.place, on=instance.as_of,
        policy=instance.policy, decides=Permission.DECIDE in person.may, size=journeys.SIZE,
        looked_into=reckoned.looked_into.get(child_id, ""),
    )  # fmt: skip


@dataclass(frozen=True)
class ToFill:
    """A blank cell of the child's that rules wait for."""

    label: str
    href: str
    volunteers: int
    """Who pass every rule but one that waits for it alone."""


def _to_fill(reckoned: Reckoning, child_id: str, away: Sequence[Nearly]) -> list[ToFill]:
    found = []
    for gap in reckoned.missing([child_id])[child_id]:
        waiting = sum(len(one.volunteers) for one in away if one.rule in gap.rules and not one.recorded)
        field = fill_in("children", gap.column, manager=True)
        found.append(ToFill(label("children", gap.column), f"/children/{child_id}/{field}", waiting))
    return found


@router.get("/{child_id}/shortlist.xlsx")
def workbook(
    child_id: ChildId, person: Asking, kith: Kith, rows: Reading, reckoned: Reckoned, rank: Rank = "plan",
    everybody: Literal["yes", ""] = "",
) -> Response:  # fmt: skip
    """What the page shows, as a workbook, called by the child's reference and the day. No address has the reference."""
    child = waiting(rows, reckoned, child_id)
    shown = cards(reckoned, child_id, rank == "plan")
    order, first = {card.volunteer.id: card.candidate.rank for card in shown}, in_a_row(shown)
    if everybody:
        everyone = len(reckoned.instance.volunteers)
        shown += as_cards(reckoned, reckoned.who_could(child_id, 0, everyone, order.keys()))
    note_shown(kith, person, child_id, shown, file="xlsx")
    points = [{bar.label: bar.points for bar in card.bars if bar.counts} for card in shown]
    scores = list(dict.fromkeys(bar.label for card in shown for bar in card.bars))
    of_child = [reckoned.looked_into.get(child_id, ""), MOVING if child.placement_move_pending else ""]
    book = Book(reckoned.instance.as_of)
    fields = [
        Field("Child"), Field("Rank", 6, WHOLE), Field("Volunteer"), Field("Age", 6, WHOLE),
        Field("Gender"), Field("Fit, of 1000", 10, WHOLE), Field("Distance", 16),
        *(Field(score, 12, WHOLE) for score in scores),
        Field("For the others who wait", 60), Field("To know before you propose", 90),
        Field("Committed until", 14, DATE), Field("Why they fit", 90),
    ]  # fmt: skip
    lines = [
        [reckoned.references[child_id], order.get(card.volunteer.id), card.reference, card.age,
         card.volunteer.gender or "not recorded", card.candidate.fit, first_upper(journey(card.candidate.distance)),
         *(own.get(score) for score in scores),
         reckoned.told(card.candidate.effect.sentence) if card.candidate.effect else "",
         " ".join([*filter(None, of_child), *(reckoned.told(str(note)) for note in card.to_know)]),
         card.volunteer.commitment_until,
         " ".join(f"{bar.label}, {bar.of_most}: {reckoned.told(bar.words)}" for bar in card.bars)]
        for card, own in zip(shown, points, strict=True)
    ]  # fmt: skip
    book.table("Shortlist", fields, lines)
    why = why_nobody(reckoned.instance, child_id).excluded
    beyond = len(reckoned.instance.volunteers) - sum(why.values()) - len(shown)
    excluded = [*([(beyond, f"could visit, after the first {first}")] if beyond else []), *_excluded(why)]
    book.table(
        "Not on it", [Field("Volunteers", 12, WHOLE), Field("The first thing that rules them out", 60)], excluded
    )
    policy, ordered = reckoned.instance.policy, "what is best for all who wait" if rank == "plan" else "fit"
    about = [
        ["Child", reckoned.references[child_id]], ["As of", day(reckoned.instance.as_of)],
        ["Policy", f"{policy.title}, version {policy.version}"],
        ["Order", f"{ordered}; after the first {first}, fit" if everybody else ordered],
    ]  # fmt: skip
    planned = reckoned.planned.volunteer_of.get(child_id)
    about += [["In the published plan", card.reference] for card in shown if card.volunteer.id == planned]
    book.table("About it", [Field("What"), Field("Of this shortlist", 60)], about)
    return as_workbook(book.content(), "shortlist", reckoned.references[child_id], reckoned.instance.as_of)


@router.get("/{child_id}/compare")
def compare(
    child_id: ChildId,
    request: Request,
    person: Asking,
    kith: Kith,
    rows: Reading,
    reckoned: Reckoned,
    ticked: Ticked = None,
    rank: Rank = "plan",
) -> Response:
    child = waiting(rows, reckoned, child_id)
    wanted = [card for card in cards(reckoned, child_id, rank == "plan") if card.volunteer.id in (ticked or ())]
    shown = wanted[:SIDE_BY_SIDE]
    note_shown(kith, person, child_id, shown)
    on = reckoned.instance.as_of
    about = [_by_name(facts.about_volunteer(card.volunteer, on, reckoned.references)) for card in shown]
    return render(
        request, "compare.html", person, child=child, reference=reckoned.references[child_id], rank=rank,
        standing=standing(shown), cards=shown, left_out=[card.reference for card in wanted[SIDE_BY_SIDE:]],
        ticked=[card.volunteer.id for card in wanted], about=about, told=reckoned.told,
        live=reckoned.live.get(child_id), decides=Permission.DECIDE in person.may,
        planned=reckoned.planned.volunteer_of.get(child_id),
        child_facts=_by_name(facts.about_child(child, on)), looked_into=reckoned.looked_into.get(child_id, ""),
    )  # fmt: skip


def _by_name(groups: Sequence[facts.Group]) -> dict[str, facts.Fact]:
    """Of the first two groups: who they are, and what they wish or offer."""
    return {fact.name: fact for _, group in groups[:2] for fact in group}


def _excluded(counts: Mapping[str, int]) -> list[tuple[int, str]]:
    """How many, and what each rule says of them: the first rule that excludes a volunteer counts them."""
    return sorted(((number, in_short(name)) for name, number in counts.items()), key=lambda one: -one[0])

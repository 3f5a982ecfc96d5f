"""The plan as a workbook that a coordinator sends on: one worksheet a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matcher.catalogue import CATALOGUE, title_of
from matcher.instance import Instance
from matcher.plan import Plan
from matcher.shortlist import Candidate
from matcher.words import first_upper, spoken
from matcher.writing.xlsx import MILES, POUNDS, WHOLE, Book, Field, Value


def plan_xlsx(
    instance: Instance, plan: Plan, shortlists: Sequence[tuple[Candidate, ...]], summary: Mapping[str, str]
) -> bytes:
    """The workbook plan.xlsx. It bears the plan's date, and the same plan gives the same bytes."""
    book = Book(plan.as_of)
    titles = {entry.id: title_of(entry, instance.policy) for entry in CATALOGUE}
    _matches(book, plan, titles)
    _left(book, plan, titles)
    _shortlists(book, shortlists)
    book.table("Summary", (Field("Question", 36), Field("Answer", 90)), list(summary.items()))
    return book.content()


def _matches(book: Book, plan: Plan, titles: Mapping[str, str]) -> None:
    scores = list(plan.matches[0].by_score) if plan.matches else []
    priorities = list(plan.matches[0].by_priority) if plan.matches else []
    fields = [
        Field("Child"), Field("Volunteer"), Field("Points", 10, WHOLE),
        Field("Fit, of 1000", 10, WHOLE), *(Field(_named(id), 12, WHOLE, titles[id]) for id in scores),
        Field("Priority", 10, WHOLE), *(Field(_named(id), 12, WHOLE, titles[id]) for id in priorities),
        Field("Not recorded, %", 12, WHOLE, "How much of the scores' weight rests on facts that are not recorded"),
        Field("Miles", 10, MILES), Field("Out of county, a year", 14, POUNDS),
        Field("Before this plan", 12), Field("To know", 80),
    ]  # fmt: skip
    rows: list[list[Value]] = [
        [match.child, match.volunteer, match.points, match.fit, *match.by_score.values(), match.priority,
         *match.by_priority.values(), match.unknown // 10, match.miles, match.cost_pence / 100,
         match.pinned or "new", " ".join(match.notes.values())]
        for match in plan.matches
    ]  # fmt: skip
    book.table("Matches proposed", fields, rows)


def _left(book: Book, plan: Plan, titles: Mapping[str, str]) -> None:
    """Who stays, why, and how many volunteers each rule excludes first."""
    named = [id for entry in CATALOGUE for id in (entry.id, f"{entry.id}_not_recorded")]
    counted = [id for id in named if any(id in child.excluded for child in plan.unmatched)]
    fields = [
        Field("Child"), Field("Why", 80), Field("Volunteers who could visit", 12, WHOLE),
        *(Field(f"Excluded: {_named(id)}", 14, WHOLE, titles[id.removesuffix("_not_recorded")]) for id in counted),
    ]  # fmt: skip
    rows: list[list[Value]] = [
        [child.child, child.reason, child.eligible, *(child.excluded.get(id) for id in counted)]
        for child in plan.unmatched
    ]
    book.table("Children left", fields, rows)


def _shortlists(book: Book, shortlists: Sequence[tuple[Candidate, ...]]) -> None:
    fields = [
        Field("Child"), Field("Rank", 6, WHOLE), Field("Volunteer"), Field("Fit, of 1000", 10, WHOLE),
        Field("Not recorded, %", 12, WHOLE), Field("Distance", 14), Field("Out of county, a year", 14, POUNDS),
        Field("In the plan", 20), Field("Why", 90),
    ]  # fmt: skip
    rows: list[list[Value]] = [
        [one.child, one.rank, one.volunteer, one.fit, one.unknown // 10, one.distance, one.cost_pence / 100,
         one.standing, one.why]
        for candidates in shortlists
        for one in candidates
    ]  # fmt: skip
    book.table("Shortlists", fields, rows)


def _named(id: str) -> str:
    return first_upper(spoken(id))

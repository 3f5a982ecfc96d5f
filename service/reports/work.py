"""The work of the service in figures: who waits, what was matched, what ended and why, what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from statistics import median

from matcher.records import Child, Party
from matcher.words import council, counted, first_upper
from service.reasons import END_REASONS, says
from service.reports.figures import (
    HIDDEN,
    NOT_RECORDED,
    STANDS,
    Cell,
    Pence,
    Percent,
    Report,
    ReportedChild,
    ReportedMatch,
    Service,
    Table,
    Year,
    began,
    counts,
    ended,
    is_live,
    months_since,
    with_totals,
)  # fmt: skip
from service.reports.suppression import SMALL

KEPT_TO_TEAM = (
    "For the team alone: numbers are told as they are, small ones too, and beside the other reports they could tell of "
    "single people. The report of the year and the one on equality are made to be passed on; this one is not."
)
KEPT_TO_BUDGET = (
    "For the team and those who keep the budget: beside what one match costs, the sums tell how many there are, "
    "however few. Do not pass it on to others."
)

# ---- waits -----------------------------------------------------------------------------------------------------------

BANDS = ((3, "Under 3 months"), (6, "3 to 6 months"), (12, "6 to 12 months"), (24, "1 to 2 years"))
"""Completed months below which a wait falls into each band."""
LONGEST = "2 years and over"


def band(day: date | None, now: date) -> str:
    if day is None:
        return NOT_RECORDED
    months = months_since(day, now)
    return next((title for below, title in BANDS if months < below), LONGEST)


def waits(service: Service) -> Report:
    waiting, beyond = _without(service)
    now = service.as_of
    counts = Counter((band(one.record.waits_since, now), one.stands) for one in waiting)
    titles = [*(title for _, title in BANDS), LONGEST, NOT_RECORDED]
    columns = STANDS[:3]
    rows = [(title, tuple(counts[title, stands] for stands in columns)) for title in titles]
    if beyond:  # in the total, which is of everybody without a visitor, and in no wait
        in_vain = Counter(one.stands for one in beyond)
        rows.append(("Care ended, or beyond the age for a visitor", tuple(in_vain[stands] for stands in columns)))
    bands = Table(
        "How long children have waited", ("Since the referral", "Ready", "Not ready", "Under proposal", "All"),
        with_totals(rows), bars=3, last_is_total=True,
        note="Ready: nothing but a volunteer is missing. Not ready: consent, approval or a fact is missing. "
        "Whoever has no visitor waits, from the day of the referral on, whatever came between.",
    )  # fmt: skip
    return Report("Waits", told_wait(service), (bands, _by_authority(waiting, now)), kept_to=KEPT_TO_TEAM)


def _without(service: Service) -> tuple[list[ReportedChild], list[ReportedChild]]:
    """Who has no visitor: who waits for one, and who can have none any more."""
    without = [one for one in service.children if one.stands != "visited"]
    return [one for one in without if not one.beyond], [one for one in without if one.beyond]


def told_wait(service: Service) -> str:
    """How many wait, and how long, in words."""
    waiting, beyond = _without(service)
    told = _told_of(waiting, service.as_of)
    if beyond:
        apart = counted(len(beyond), "more has none, and counts", "more have none, and count").capitalize()
        told += f" {apart} apart: {_NO_MORE}."
    return told


def told_without(service: Service) -> str:
    """The same for whoever is told the numbers of the report on equality: there all without a visitor are one number.

    So how many can have none any more is not told apart. Nor does it show by how long the others have waited: of six
    that would say that five wait, and one does not.
    """
    waiting, beyond = _without(service)
    everybody = len(waiting) + len(beyond)
    if not beyond:
        return _told_of(waiting, service.as_of)
    told = f"{_many(everybody, 'child has', 'children have')} no visitor."
    half = _half("those who wait", waiting, service.as_of) if everybody > SMALL + 1 else ""
    return f"{told} Counted in are those who can have none any more: {_NO_MORE}.{half}"


_NO_MORE = "care has ended, or they are beyond the age for one"


def _told_of(waiting: Sequence[ReportedChild], now: date) -> str:
    if not waiting:
        return "No child waits for a visitor."
    return f"{_many(len(waiting), 'child has', 'children have')} no visitor yet.{_half('them', waiting, now)}"


def _half(whom: str, waiting: Sequence[ReportedChild], now: date) -> str:
    """How long half of those who wait have waited, as a sentence that follows; blank of a few."""
    known = [one.record.waits_since for one in waiting if one.record.waits_since]
    if len(known) < SMALL:
        return ""
    months = median_months(known, now)
    return f" Half of {whom} have waited {f'{counted(months, *_MONTHS)} or longer' if months else 'less than a month'}."


_MONTHS = ("month", "months")


def median_months(days: Iterable[date], now: date) -> int:
    """Completed months that half of them have waited, or longer."""
    return int(median(months_since(day, now) for day in days))


def _by_authority(waiting: Sequence[ReportedChild], now: date) -> Table:
    groups: dict[str, list[Child]] = {}
    for one in waiting:
        code = one.record.responsible_authority
        groups.setdefault(council(code) if code else NOT_RECORDED, []).append(one.record)
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    for name in sorted(groups, key=lambda name: (name == NOT_RECORDED, name)):
        own = groups[name]
        outside = sum(
            one.placement_council is not None and one.placement_council != one.responsible_authority for one in own
        )
        known = [one.waits_since for one in own if one.waits_since]
        half = median_months(known, now) if len(known) >= SMALL else HIDDEN
        rows.append((name, (len(own), outside if name != NOT_RECORDED else None, half)))
    headings = ("Responsible authority", "Without a visitor", "Placed outside it", "Half wait at least (months)")
    return Table("By responsible authority", headings, tuple(rows), bars=0)


# ---- matches and endings ---------------------------------------------------------------------------------------------


def matches(service: Service, year: Year) -> Report:
    first, last = year.days(service.as_of)
    before = sum(is_live(one, first - timedelta(days=1)) for one in service.matches)
    rows: list[tuple[str, tuple[Cell, ...]]] = [(f"Before {first:%B %Y}", (None, None, before))]
    months = [(start, min(end, service.as_of)) for start, end in year.months(service.as_of)]
    for name, start, end in [*((f"{start:%B %Y}", start, end) for start, end in months), ("The year", first, last)]:
        numbers = (sum(within(one, start, end) for one in service.matches) for within in (began, ended))
        rows.append((name, (*numbers, sum(is_live(one, end) for one in service.matches))))
    table = Table(
        "Month by month", ("Month", "Visits began", "Visits ended", "Go on at the end"), tuple(rows),
        note=_not_counted(service), bars=0, last_is_total=True,
    )  # fmt: skip
    begun = [one for one in service.matches if began(one, first, last)]
    children = len({one.child for one in begun})
    told = _many(children, "child was given a visitor", "children were given a visitor")
    twice = "" if children == len(begun) else f", {len(begun)} in all since some had another before"
    lead = f"{told} between {year.title.replace(' to ', ' and ')}{twice}."
    return Report("Matches made", lead, (table, _proposals(service, year)), kept_to=KEPT_TO_TEAM)


def _not_counted(service: Service) -> str:
    """Of which day a match counts, and which matches the months leave out."""
    to_begin = sum(one.unbegun and not one.over for one in service.matches)
    never = sum(one.unbegun and one.over for one in service.matches)
    of_old = sum(not one.unbegun and counts(one) and one.started_on is None for one in service.matches)
    no_end = sum(not one.unbegun and not counts(one) for one in service.matches)
    told = [
        "Counted from the first visit to the last day of the match, pauses included.",
        to_begin and f"{_many(to_begin, 'match is', 'matches are')} appointed, and the first visit is yet to come.",
        never
        and f"{_many(never, 'match', 'matches')} ended before a first visit: only the report of endings has them.",
        of_old and f"{_many(of_old, 'match has', 'matches have')} no beginning on record, and went on from the first.",
        no_end and f"{_many(no_end, 'match is', 'matches are')} over since a day that is not on record: left out here.",
    ]
    return " ".join(one for one in told if one)


_STEPS = (
    ("propose", "Proposed"), ("ask_volunteer", "The volunteer was asked"),
    ("meeting_held", "The child met the volunteer"), ("child_agrees", "The child said yes"), ("appoint", "Appointed"),
    ("child_declines", "The child said no"), ("volunteer_declines", "The volunteer said no"),
    ("social_worker_declines", "The social worker said no"), ("withdraw", "Withdrawn by the service"),
)  # fmt: skip


def _proposals(service: Service, year: Year) -> Table:
    counts = Counter(one.step for one in service.steps if year.holds(one.on))
    headings, title = ("What was recorded", "Times"), "How proposals went"
    if not any(counts[step] for step, _ in _STEPS):
        return Table(title, headings, (), note="Nobody recorded a step of a proposal in that year.")
    rows = tuple((told, (counts[step],)) for step, told in _STEPS)
    note = (
        "Steps that people recorded in Kith in that year. A proposal can take several of them, and over two years. "
        "What came with a file was appointed elsewhere, so more visits can begin than are appointed here."
    )
    return Table(title, headings, rows, note=note, bars=0)


LASTED = ((6, "Under 6 months"), (12, "6 to 12 months"), (24, "1 to 2 years"))


def endings(service: Service, year: Year) -> Report:
    over = [one for one in service.matches if one.over and year.holds(one.ended_on)]
    lead = f"{_many(len(over), 'match', 'matches')} ended from {year.title}."
    before = sum(one.over and one.ended_on is not None and Year.of(one.ended_on) < year for one in service.matches)
    if not over and before:
        lead += f" In the years before there {'was one' if before == 1 else f'were {before}'}: choose a year."
    lasted = Counter(_lasted(one) for one in over)
    titles = [*(title for _, title in LASTED), LONGEST, NOT_RECORDED, *([NEVER] if lasted[NEVER] else [])]
    rows = with_totals([(title, (lasted[title],)) for title in titles], across=False) if over else ()
    headings, note = ("From the first visit", "Matches"), "" if over else NONE_ENDED
    how_long = Table("How long they had lasted", headings, rows, note=note, bars=0, last_is_total=True)
    return Report("Endings", lead, (reasons(over), how_long), kept_to=KEPT_TO_TEAM)


def _lasted(match: ReportedMatch) -> str:
    if match.unbegun:
        return NEVER
    if match.started_on is None or match.ended_on is None:
        return NOT_RECORDED
    months = months_since(match.started_on, match.ended_on)
    return next((title for below, title in LASTED if months < below), LONGEST)


NEVER = "Ended before a first visit"
NONE_ENDED = "No match ended in that year."
_BY = {Party.CHILD: "By the child", Party.VOLUNTEER: "By the volunteer", Party.PLANNED: "As planned"}
_OTHERS = "By others"


def reasons(over: Sequence[ReportedMatch]) -> Table:
    """Why matches ended, and on whose word; reasons that nobody gave are left out."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in over:
        reason = one.reason if one.reason in END_REASONS else NOT_RECORDED
        counts[first_upper(says(reason)), _BY.get(one.over_by, _OTHERS) if one.over_by else _OTHERS] += 1
    columns = (*_BY.values(), _OTHERS)
    titles = [*(first_upper(says(one)) for one in END_REASONS), NOT_RECORDED]
    given = [(title, tuple(counts[title, by] for by in columns)) for title in titles]
    rows = with_totals([one for one in given if any(one[1])]) if over else ()
    note = "“Other” is also what a file says that gives no reason." if over else NONE_ENDED
    return Table("Why they ended", ("Reason", *columns, "All"), rows, note=note, bars=len(columns), last_is_total=True)


def _many(number: int, one: str, many: str) -> str:
    """As a sentence begins: One match, No matches, 3 matches."""
    return counted(number, one, many).capitalize() if number else f"No {one}"


# ---- spending --------------------------------------------------------------------------------------------------------


def spend(service: Service) -> Report:
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    for one in sorted(service.budgets, key=lambda one: council(one.code)):
        budget = one.budget_pence
        left = None if budget is None else Pence(budget - one.spent_pence)
        share = None if not budget else Percent(round(100 * one.spent_pence / budget))
        rows.append(
            (council(one.code), (None if budget is None else Pence(budget), Pence(one.spent_pence), left, share))
        )
    known = [one for one in service.budgets if one.budget_pence is not None]
    if len(rows) > 1 and len(known) == len(rows):
        budget, spent = sum(one.budget_pence or 0 for one in known), sum(one.spent_pence for one in known)
        share = Percent(round(100 * spent / budget)) if budget else None
        rows.append(("All", (Pence(budget), Pence(spent), Pence(budget - spent), share)))
    over = sum(one.spent_pence > (one.budget_pence or 0) for one in known)
    lead = "What is spent or committed on visits outside the county this year, beside what each authority may spend."
    if over:
        lead += f" {counted(over, 'authority has', 'authorities have').capitalize()} spent more than the budget."
    headings = ("Responsible authority", "Budget", "Spent or committed", "Left", "Spent, of the budget")
    table = Table(
        "Out-of-county spending", headings, tuple(rows), bars=3, last_is_total=len(rows) > len(service.budgets),
        note="As a file of authorities or a manager recorded it last, with a year's cost of each match outside the "
        "county that was appointed in Kith since, reckoned with the policy's visits a year, however "
        "often they meet. The cost of a match that came with a file is in it only if whoever "
        "told the figure counted it in. Proposals on the way count against what is left besides.",
    )  # fmt: skip
    return Report("Spending", lead, (table,), kept_to=KEPT_TO_BUDGET)

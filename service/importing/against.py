"""What files say against what is in Kith, told of the row of the spreadsheet that has it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator

from matcher.errors import Problem
from matcher.policy import Policy
from matcher.readers import Reading
from matcher.records import Agreement, ExceptionKind, MatchStatus, RecordedException
from matcher.references import bare, has_number
from service import exceptions as allowed
from service.importing.here import Here, ends
from service.workflow import APPOINTED, LIVE, MATCH_STATUS, State


def _nearly_here(here: Here, reading: Reading) -> Iterator[Problem]:
    """Ids and families in Kith in another spelling: as new, they would leave a no, a history or siblings behind."""
    of = reading.records
    children = [("children", place, "child_id", one.id) for place, one in enumerate(of["children"])]
    children += [
        (sheet, place, "child_id", one.child)
        for sheet in ("matches", "declined", "exceptions")
        for place, one in enumerate(of[sheet])
        if one.child
    ]
    children += [("volunteers", place, "known_children", child)
                 for place, one in enumerate(of["volunteers"]) for child in one.known_children or ()]  # fmt: skip
    volunteers = [("volunteers", place, "volunteer_id", one.id) for place, one in enumerate(of["volunteers"])]
    families = [(sheet, place, "family", one.family) for sheet in ("children", "matches")
                for place, one in enumerate(of[sheet])
                if one.family and one.family != (one.id if sheet == "children" else one.child)]  # fmt: skip
    remedy = "Write it as in Kith if that is who is meant; otherwise give an id quite unlike"
    looked_up: list[tuple[Collection[str], list[tuple[str, int, str, str]], Callable[[str], str]]] = [
        (here.children, children, str), (here.volunteers, volunteers, str), (here.families, families, str.casefold),
    ]  # fmt: skip
    for known, named, as_kept in looked_up:
        meant = {bare(reference): reference for reference in known}
        for sheet, place, column, id in named:
            if as_kept(id) not in known and bare(id) in meant:
                wrong = f"is not in Kith, and {meant[bare(id)]} is"
                yield Problem(reading.files[sheet], reading.rows[sheet][place], column, id, wrong, remedy)


def _names(here: Here, reading: Reading) -> Iterator[Problem]:
    """Acquaintances who are written as no child's reference is: they would be kept as they stand, a name with them."""
    there = {*here.children, *(child.id for child in reading.records["children"])}
    for place, volunteer in enumerate(reading.records["volunteers"]):
        for child in volunteer.known_children or ():
            if child not in there and not has_number(child):
                yield Problem(reading.files["volunteers"], reading.rows["volunteers"][place], "known_children", child,
                              "is no child in Kith, and no reference either, as it has no number",
                              "Write the child's reference, never a name")  # fmt: skip


def _parted(here: Here, reading: Reading) -> Iterator[Problem]:
    """New exceptions for two who are never proposed to each other again: a file makes them no more than a manager can.

    Without the reason, which would go out with the file that is given back.
    """
    for place, one in enumerate(reading.records["exceptions"]):
        if one.child is None or here.exception(one):
            continue
        child, volunteer = here.pair(one.child, one.volunteer)
        no = allowed.said_no(here.rows, volunteer, child, reason=False) if child and volunteer else ""
        if no := no or _parted_by_files(reading, one):
            told = f"with {one.volunteer}: {no[0].lower()}{no[1:].rstrip('.')}"
            where = reading.files["exceptions"], reading.rows["exceptions"][place]
            yield Problem(*where, "child_id", one.child, told, "Remove the row")


def _parted_by_files(reading: Reading, one: RecordedException) -> str:
    """The same by the files themselves. What was allowed before that belongs to a history, and may stand in it."""
    pair = one.child, one.volunteer
    said = [(f"the {no.by} said no" if no.by else "a no", no.declined_on)
            for no in reading.records["declined"] if (no.child, no.volunteer) == pair]  # fmt: skip
    said += [("their match ended", match.ended_on) for match in reading.records["matches"]
             if (match.child, match.volunteer) == pair and match.status is MatchStatus.ENDED]  # fmt: skip
    return next((allowed.parted(what, on) for what, on in said if on is None or on <= one.approved_on), "")


def wrong(here: Here, reading: Reading, policy: Policy) -> Iterator[Problem]:
    """What the files say against what is in Kith, where the spreadsheet has it."""
    exceptions, matches = reading.records["exceptions"], reading.records["matches"]
    most: dict[str, int] = defaultdict(lambda: policy.number("constraints.capacity.children"))
    for row in here.volunteers.values():
        most[row.reference] = max(most[row.reference], row.capacity)
    for one in exceptions:
        if one.kind is ExceptionKind.SECOND_CHILD:
            most[one.volunteer] = max(most[one.volunteer], one.value or 2)
    objects = {child.id for child in reading.records["children"] if child.agrees is Agreement.NO}
    of_child: dict[str, int] = defaultdict(int)
    of_volunteer: dict[str, int] = defaultdict(int)
    ending = {(match.child, match.volunteer) for match in matches if match.status is MatchStatus.ENDED}
    for (child, volunteer), known in here.matches.items():
        if State(known.state) in LIVE and not (State(known.state) in APPOINTED and (child, volunteer) in ending):
            of_child[child] += 1
            of_volunteer[volunteer] += 1

    def problem(sheet: str, place: int, column: str, value: str, wrong: str, remedy: str) -> Problem:
        return Problem(reading.files[sheet], reading.rows[sheet][place], column, value, wrong, remedy)

    yield from _nearly_here(here, reading)
    yield from _names(here, reading)
    yield from _parted(here, reading)
    for place, child_record in enumerate(reading.records["children"]):
        if child_record.id in objects and of_child[child_record.id]:
            yield problem("children", place, "agrees", child_record.id, "says no, and has a live match in Kith",
                          "Record the child's no in Kith first: it ends the match")  # fmt: skip
    for place, no in enumerate(reading.records["declined"]):
        known_match = here.matches.get((no.child, no.volunteer))
        if known_match is not None and State(known_match.state) in LIVE:
            yield problem("declined", place, "", no.child, f"is {known_match.state} with {no.volunteer} in Kith",
                          "Record the no in Kith: it ends the proposal")  # fmt: skip
    for place, match in enumerate(matches):
        known_match = here.match(match)
        if known_match is not None:
            status = MATCH_STATUS[State(known_match.state)]
            if status is not match.status and not ends(known_match, match):
                yield problem("matches", place, "status", match.child,
                              f"is {match.status} here, and {known_match.state} in Kith",
                              "Record what happened in Kith, or correct the row")  # fmt: skip
            continue
        if match.status is MatchStatus.ENDED:
            continue
        of_child[match.child] += 1
        of_volunteer[match.volunteer] += 1
        stored = here.children.get(match.child)
        if match.child in objects or (stored is not None and stored.objects):
            yield problem("matches", place, "", match.child, f"said no, and a match is {match.status}",
                          "End the match, or correct what the child said")  # fmt: skip
        if of_child[match.child] > 1:
            yield problem("matches", place, "", match.child, "has two matches proposed, agreed or current",
                          "End the one that is over")  # fmt: skip
        if of_volunteer[match.volunteer] > most[match.volunteer]:
            yield problem("matches", place, "", match.volunteer,
                          f"has more children than the {most[match.volunteer]} allowed",
                          "Record the exception for a second child, or end what is over")  # fmt: skip

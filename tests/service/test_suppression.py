"""What is told as a range in the reports, held against somebody who attacks it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from service.reports import Between
from service.reports.suppression import FEW, SMALL, Place, few, part, ranges

Counts = Sequence[Sequence[int]]


def told(counts: Counts) -> dict[Place, str]:
    return {place: str(one) for place, one in (ranges(counts) or {}).items()}


def tables(most: int, widths: tuple[int, int], heights: tuple[int, int]) -> st.SearchStrategy[list[list[int]]]:
    def of(width: int) -> st.SearchStrategy[list[list[int]]]:
        row = st.lists(st.integers(0, most), min_size=width, max_size=width)
        return st.lists(row, min_size=heights[0], max_size=heights[1])

    return st.integers(*widths).flatmap(of)


def test_a_large_group_beside_a_small_one_is_told_as_a_narrow_range() -> None:
    # 120 - 60 is 60, of whom 1 to 4 are of the last group: so 56 to 59 are of the first.
    assert told([[57, 0], [60, 0], [3, 6]]) == {
        (0, 0): "56 to 59", (0, 2): "56 to 59", (2, 0): "1 to 4", (2, 2): "7 to 10",
    }  # fmt: skip


def test_a_small_number_takes_along_the_smallest_that_would_tell_it() -> None:
    # without, with | all      The 3 alone: 20 - 9 - 8 tells it, and so does 12 - 9. The cheapest square that frees it
    #   9        3    | 12     is with the second row. The other three go with it as far as it can.
    #   8        6    | 14
    #  20       30    | 50
    assert told([[9, 3], [8, 6], [20, 30]]) == {
        (0, 0): "8 to 11", (0, 1): "1 to 4", (1, 0): "6 to 9", (1, 1): "5 to 8"
    }  # fmt: skip


def test_of_those_that_would_do_the_smallest_goes_along() -> None:
    assert set(told([[60, 0], [57, 0], [80, 0], [3, 6]])) == {(1, 0), (1, 2), (3, 0), (3, 2)}


def test_two_small_numbers_free_each_other_and_no_third_row_goes_along() -> None:
    assert told([[30, 3], [20, 2], [9, 8]]) == {
        (0, 0): "29 to 32", (0, 1): "1 to 4", (1, 0): "18 to 21", (1, 1): "1 to 4"
    }  # fmt: skip


def test_nothing_small_is_told_as_it_is_and_none_is_no_small_number() -> None:
    assert ranges([[9, 0], [8, 6]]) == {}


def test_what_nothing_can_protect_is_not_told() -> None:
    # The only two with a visitor are of one group, and how many have one is known from elsewhere.
    assert ranges([[9, 2], [8, 0]]) is None


def published(counts: Counts, instead: Mapping[Place, Between]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Every table that has the same totals, and the numbers that are told within the ranges that are told."""
    width = len(counts[0])
    totals = [sum(row[at] for row in counts) for at in range(width)]
    rows = []
    for number, row in enumerate(counts):
        could = [instead.get((number, at), Between(count, count)) for at, count in enumerate((*row, sum(row)))]
        cells = (
            range(one.lowest, min(one.highest, total) + 1) for one, total in zip(could[:-1], totals, strict=True)
        )  # fmt: skip
        rows.append([one for one in product(*cells) if could[-1].lowest <= sum(one) <= could[-1].highest])
    for found in product(*rows):
        if [sum(column) for column in zip(*found, strict=True)] == totals:
            yield found


@settings(deadline=None, max_examples=60)
@example([[5, 1], [1, 5], [0, 7]])
@example([[1, 1], [1, 1]])
@given(tables(11, (1, 2), (1, 3)))
def test_of_all_tables_that_could_be_meant_each_small_number_has_two(counts: list[list[int]]) -> None:
    """By brute force: no cell from 1 to 4 is the same in all of them, and the ranges are what they have in common."""
    instead = ranges(counts)
    if not instead:
        return
    found = list(published(counts, instead))
    assert tuple(map(tuple, counts)) in found
    for (row, at), one in instead.items():
        could = {(*table[row], sum(table[row]))[at] for table in found}
        assert len(could) >= 2
        assert one == FEW or one == Between(min(could), max(could))


@settings(deadline=None, max_examples=60)
@example([[1, 1], [1, 1]])
@given(tables(40, (1, 3), (1, 5)))
def test_nobody_works_out_a_small_number(counts: list[list[int]]) -> None:
    """The attacker knows all that is told, the totals of the columns, and that "1 to 4" is told of just those."""
    instead = ranges(counts)
    small = {
        (row, at) for row, one in enumerate(counts) for at, count in enumerate((*one, sum(one))) if 0 < count < SMALL
    }
    if instead is None:
        assert small
        return
    assert {place for place, one in instead.items() if one == FEW} == small
    assert bool(small) == bool(instead)
    companions = set(instead) - small
    without = {place: FEW if place in small else Between(SMALL, 10_000) for place in instead}  # no range is told
    for place, one in instead.items():
        lowest, highest = attacked(counts, without, place)
        assert highest - lowest >= 1, place
        if place in companions:  # the range is no news to anybody
            assert (one.lowest, one.highest) == (lowest, highest)
    for place in companions:  # and no more is told as a range than has to be
        fewer = {one: kept for one, kept in without.items() if one != place}
        assert any(low == high for low, high in (attacked(counts, fewer, one) for one in small)), place


def attacked(counts: Counts, instead: Mapping[Place, Between], place: Place) -> tuple[int, int]:
    """The least and the most that a number can be, as a linear program: a network's corners are whole numbers."""
    width = len(counts[0])
    values = {(row, at): count for row, one in enumerate(counts) for at, count in enumerate((*one, sum(one)))}
    places = list(values)
    equations = [[float(p[0] == row) * (-1.0 if p[1] == width else 1.0) for p in places] for row in range(len(counts))]
    equations += [[float(p[1] == at) for p in places] for at in range(width + 1)]
    totals = [0.0] * len(counts)
    totals += [float(sum(values[row, at] for row in range(len(counts)))) for at in range(width + 1)]
    bounds = [(instead[p].lowest, instead[p].highest) if p in instead else (values[p], values[p]) for p in places]
    goal = np.array([float(p == place) for p in places])
    low, high = (
        round(sign * linprog(sign * goal, A_eq=equations, b_eq=totals, bounds=bounds).fun) for sign in (1, -1)
    )  # fmt: skip
    return low, high


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_neighbouring_table_reads_alike(shift: int) -> None:
    """Who is one more or one fewer in a small group changes none of what is told."""
    assert ranges([[57 - shift, 0], [60, 0], [3 + shift, 6]]) == ranges([[57, 0], [60, 0], [3, 6]])


@pytest.mark.parametrize("whole", range(SMALL, 31))
def test_neither_a_small_part_nor_a_small_rest_of_what_is_told_is_worked_out(whole: int) -> None:
    """Each range is what its readers could say anyway: all the numbers that read alike, and never one alone."""
    alike: dict[object, list[int]] = {}
    for count in range(whole + 1):
        alike.setdefault(part(count, whole), []).append(count)
    for cell, counts in alike.items():
        if isinstance(cell, Between):
            assert counts == list(range(cell.lowest, cell.highest + 1))
            assert len(counts) >= 2
        else:
            assert counts == [cell]
            assert not 0 < cell < SMALL  # type: ignore[operator]
            assert not 0 < whole - cell < SMALL  # type: ignore[operator]


def test_what_stands_alone_is_hidden_where_it_is_small_and_only_there() -> None:
    assert [few(count) for count in range(7)] == [0, FEW, FEW, FEW, FEW, 5, 6]
    assert [str(part(count, 40)) for count in (0, 4, 5, 35, 37, 40)] == ["0", "1 to 4", "5", "35", "36 to 39", "40"]

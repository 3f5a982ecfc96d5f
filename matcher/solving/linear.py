"""Linear programs by GLOP, the simplex of OR-Tools: arrays in, the choice and the prices of the limits out.

The compiled helper is called, not its Python front: no pandas, and a millisecond instead of ten on small programs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher.solving.assignment import NONE, Ints

Floats = NDArray[np.float64]

SMALL = 5000
"""Columns up to which preparing the program takes longer than solving it."""


class Rows(NamedTuple):
    """Some limits: at most `most` of the weights of the columns chosen, or exactly where `full`.

    `row` tells of each entry which limit it belongs to, NONE for none; `column` which variable, `weight` how much.
    """

    row: Ints
    column: Ints
    weight: Floats
    most: Floats
    full: NDArray[np.bool_]


class Linear(NamedTuple):
    """The best choice, one entry a column; its value; and what one more unit of each limit would be worth."""

    chosen: Floats
    value: float
    prices: list[Floats]


def maximise(worth: Floats, limits: list[Rows]) -> Linear | None:
    """Choose columns, each 0 or more, of the most worth; None if that cannot be done.

    `prices` come one array for each of `limits`, in their order.
    """
    from ortools.linear_solver.python import model_builder_helper
    from scipy.sparse import csr_matrix  # 0.3 s, as late as can be

    sizes = np.cumsum([0, *(len(limit.most) for limit in limits)]).tolist()
    starts = sizes[:-1]
    kept = [np.flatnonzero(limit.row != NONE) for limit in limits]
    row = np.concatenate([start + one.row[some] for one, some, start in zip(limits, kept, starts, strict=True)])
    column = np.concatenate([one.column[some] for one, some in zip(limits, kept, strict=True)])
    weight = np.concatenate([one.weight[some] for one, some in zip(limits, kept, strict=True)])
    most = np.concatenate([one.most for one in limits]).astype(np.float64)
    full = np.concatenate([one.full for one in limits])

    matrix = csr_matrix((weight, (row, column)), shape=(sizes[-1], len(worth)))
    model: Any = model_builder_helper.ModelBuilderHelper()
    none, any_number = np.zeros(len(worth)), np.full(len(worth), np.inf)
    model.fill_model_from_sparse_data(none, any_number, worth, np.where(full, most, -np.inf), most, matrix)
    model.set_maximize(True)
    solver = model_builder_helper.ModelSolverHelper("GLOP")
    if len(worth) <= SMALL:
        solver.set_solver_specific_parameters("use_preprocessing: false")
    solver.solve(model)
    if solver.status() != model_builder_helper.SolveStatus.OPTIMAL:
        return None
    prices = np.asarray(solver.dual_values())
    split = [prices[start:end] for start, end in zip(starts, sizes[1:], strict=True)]
    return Linear(np.asarray(solver.variable_values()), solver.objective_value(), split)


def of_children(terms: tuple[Ints, Ints, Floats], child: Ints, most: Floats, *, full: bool) -> Rows:
    """Limits on children, told by (child, limit, weight), as limits on the pairs of these children."""
    if not len(most):
        none = np.zeros(0, np.int64)
        return Rows(none, none, np.zeros(0), most, np.zeros(0, np.bool_))
    order = np.argsort(terms[0], kind="stable")
    of, row, weight = (term[order] for term in terms)
    first, last = np.searchsorted(of, child), np.searchsorted(of, child, side="right")
    many = last - first
    term = np.repeat(first + many - np.cumsum(many), many) + np.arange(many.sum())
    return Rows(row[term], np.repeat(np.arange(len(child)), many), weight[term], most, np.full(len(most), full))

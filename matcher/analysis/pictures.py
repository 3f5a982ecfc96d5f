"""Pictures that a council report could carry: labelled, with units, told apart by shape as well as by colour.

    compare(plan_a, plan_b).picture().savefig("compared.png")

Each gives a matplotlib Figure. `maps` has the map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from matcher.analysis.style import BLUE, GREEN, GREY, ORANGE, RED, matplotlib, styled, words
from matcher.analysis.style import figure as new_figure
from matcher.frontier import Frontier
from matcher.plan import KINDS, Plan, PlanDiff

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Compared:
    """Two plans of one service side by side."""

    before: Plan
    after: Plan
    diff: PlanDiff

    @property
    def sentence(self) -> str:
        """12 kept, 1 new, 1 newly without a visitor."""
        return self.diff.sentence

    @property
    def frame(self) -> pd.DataFrame:
        """One row a child matched in either plan, or newly without a visitor.

        child_id, change, volunteer_before, volunteer_id, fit_points_before and fit_points (each by its own plan's
        policy), and the reason. What a child without a volunteer has none of is missing.
        """
        import pandas as pd

        fit = [{match.child: match.fit for match in plan.matches} for plan in (self.before, self.after)]
        rows = [
            (
                one.child,
                KINDS[one.kind],
                one.before,
                one.volunteer,
                *(points.get(one.child) for points in fit),
                one.reason,
            )
            for one in self.diff.changes
        ]
        columns = [
            "child_id",
            "change",
            "volunteer_before",
            "volunteer_id",
            "fit_points_before",
            "fit_points",
            "reason",
        ]
        frame = pd.DataFrame(rows, columns=columns)
        return frame.astype({"fit_points_before": "Int64", "fit_points": "Int64"})

    @styled
    def picture(self) -> Figure:
        """How many children each change concerns, and the fit of those with another volunteer, before and after."""
        frame = self.frame
        figure, (counts, moves) = new_figure(1, 2, figsize=(9, 4.2), width_ratios=(1, 1.5))
        kinds = [kind for kind in KINDS if self.diff.of(kind)]
        number = [len(self.diff.of(kind)) for kind in kinds]
        bars = counts.barh([KINDS[kind] for kind in kinds], number, color=[_KIND_COLOUR[kind] for kind in kinds])
        counts.bar_label(bars, padding=3)
        counts.invert_yaxis()
        counts.set(title="What becomes of each child", xlabel="children", xlim=(0, max(number, default=1) * 1.15))
        changed = frame[frame["change"] == KINDS["changed"]].sort_values("fit_points", ignore_index=True)
        for place, row in changed.iterrows():
            moves.plot(
                [row["fit_points_before"], row["fit_points"]], [place, place], color=GREY, linewidth=1.2, zorder=1
            )
        moves.scatter(
            changed["fit_points_before"], changed.index, facecolors="white", edgecolors=BLUE, label=_short(self.before)
        )
        moves.scatter(changed["fit_points"], changed.index, color=ORANGE, marker="D", s=28, label=_short(self.after))
        moves.set(title="Children with another volunteer", xlabel="fit, points of 1000, by each plan's own policy")
        _children(moves, changed["child_id"].tolist())
        if len(changed):
            figure.legend(*moves.get_legend_handles_labels(), loc="outside lower center", ncols=2)
        return figure


_KIND_COLOUR: Mapping[str, str] = {"kept": GREY, "changed": BLUE, "new": GREEN, "unmatched": RED, "dropped": "#000000"}


def compare(before: Plan, after: Plan) -> Compared:
    """What changes from one plan to another of the same service: as a frame, as a picture, and each with its reason."""
    return Compared(before, after, after.diff(before))


@styled
def bars_of(counts: pd.Series[int], *, title: str, xlabel: str) -> Figure:
    """Numbers as bars in the order given, each with its number."""
    figure, axes = new_figure(figsize=(8, 1.1 + 0.38 * len(counts)))
    bars = axes.barh([words(name) for name in counts.index], counts.to_numpy(), color=BLUE)
    axes.bar_label(bars, padding=3, fmt="{:,.0f}")
    axes.invert_yaxis()
    axes.set(title=title, xlabel=xlabel, xlim=(0, max(float(counts.max()), 1) * 1.12))
    return figure


@styled
def frontier_of(frontier: Frontier) -> Figure:
    """Both trade-offs of `matcher.frontier`, for all children and for those without regular contact with parents.

    The policy's own plan is filled.
    """
    figure, (by_fit, by_budget) = new_figure(1, 2, figsize=(9.5, 4))
    for axes, trade_off in ((by_fit, "fit"), (by_budget, "budget")):
        some = frontier.frame[(frontier.frame["trade_off"] == trade_off) & (frontier.frame["children"] > 0)]
        across = some["mean_fit"] if trade_off == "fit" else some["spent_pence"] / 100
        own, others = some["of_policy"], ~some["of_policy"]
        for column, colour, marker, label in (
            ("children", BLUE, "o", "children matched"),
            ("without_contact", GREEN, "^", "of these, without regular contact with parents"),
        ):
            axes.plot(across[others], some[column][others], color=colour, marker=marker, mfc="white", lw=1, label=label)
        for column in ("children", "without_contact"):
            axes.plot(across[own], some[column][own], "D", color=ORANGE, markersize=8, label="the policy as it is")
    by_fit.set(title="More children, or better fit", xlabel="mean fit of a match, points of 1000", ylabel="children")
    by_budget.set(title="More children, or less spent", xlabel="out of county, pounds a year", ylabel="children")
    for axes in (by_fit, by_budget):
        axes.set_ylim(0, float(some["children"].max()) * 1.08)
        axes.yaxis.get_major_locator().set_params(integer=True)
    named = dict(zip(*reversed(by_fit.get_legend_handles_labels()), strict=True))
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=3)
    return figure


@styled
def table_of(
    values: pd.DataFrame, *, title: str, label: str, xlabel: str, mark: Mapping[str, Any] | None = None
) -> Figure:
    """Numbers as a shaded table: one row a name, one column a level. `mark` frames the level that each row has now."""
    width = 1.6 + 0.08 * max(len(str(name)) for name in values.index) + 0.65 * len(values.columns)
    figure, axes = new_figure(figsize=(width, 1.4 + 0.36 * len(values)))
    shades = axes.imshow(values.to_numpy(float), cmap="cividis", aspect="auto", vmin=0)
    most = float(np.nanmax(values.to_numpy(float))) or 1.0
    for i, row in enumerate(values.to_numpy(float)):
        for j, number in enumerate(row):
            axes.text(
                j, i, f"{number:,g}", ha="center", va="center", color="black" if number > 0.55 * most else "white"
            )
    for i, name in enumerate(values.index):
        if mark and mark.get(str(name)) in list(values.columns):
            j = [*values.columns].index(mark[str(name)])
            axes.add_patch(
                matplotlib().patches.Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, edgecolor=ORANGE, linewidth=2.5)
            )
    names = [str(column) for column in values.columns]
    slope = {"rotation": 30, "ha": "right"} if max(map(len, names)) > 8 else {}
    axes.set_xticks(range(len(names)), names, **slope)
    axes.set_yticks(range(len(values)), [words(name) for name in values.index])
    axes.set(title=title, xlabel=f"{xlabel} (framed: as it is now)" if mark else xlabel)
    axes.tick_params(length=0)
    figure.colorbar(shades, ax=axes, label=label, shrink=0.9)
    return figure


@styled
def indices_of(indices: Mapping[str, pd.DataFrame]) -> Figure:
    """Sobol's indices of each weight, as `designs.SobolDesign.indices` gives them, one panel a figure of the plan."""
    figure, panels = new_figure(
        1, len(indices), figsize=(1.2 + 3.7 * len(indices), 4.2), sharex=True, sharey=True, squeeze=False
    )
    order = next(iter(indices.values()))["total"].sort_values().index
    for axes, (title, found) in zip(panels[0], indices.items(), strict=True):
        found, place = found.loc[order], np.arange(len(order))
        for name, colour, marker, shift in (("first", BLUE, "o", 0.14), ("total", ORANGE, "D", -0.14)):
            ends = np.abs(found[[f"{name}_low", f"{name}_high"]].to_numpy().T - found[name].to_numpy())
            label = {"first": "by itself (first order)", "total": "with the others (total)"}[name]
            axes.errorbar(
                found[name], place + shift, xerr=ends, fmt=marker, color=colour, markersize=5, label=label, capsize=2
            )
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.set(title=title, xlabel="share of the variance", yticks=place)
        axes.set_yticklabels([words(name) for name in order])
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


@styled
def weights_of(tables: Mapping[str, pd.DataFrame], *, true: Mapping[str, Mapping[str, float]] | None = None) -> Figure:
    """Learned weights with their intervals beside the policy's, one panel a group of deciders.

    Args:
        tables: `WeightLearner.table` by title.
        true: where decisions were simulated, the weights that they followed, by the same titles and on the policy's
            scale; nan where a weight was not learned.
    """
    figure, panels = new_figure(
        1, len(tables), figsize=(1.4 + 4.0 * len(tables), 4.6), sharex=True, sharey=True, squeeze=False
    )
    for axes, (title, table) in zip(panels[0], tables.items(), strict=True):
        share = table[["weight", "low", "high", "policy"]] / table["policy"].sum() * 100
        place, held = np.arange(len(table))[::-1], (table["held"] != "").to_numpy()
        ends = np.abs(share[["low", "high"]].to_numpy().T - share["weight"].to_numpy())
        axes.errorbar(
            share["weight"][~held],
            place[~held],
            xerr=ends[:, ~held],
            fmt="o",
            color=BLUE,
            capsize=3,
            label="learned, with its interval",
        )
        axes.scatter(
            share["policy"], place, marker="|", s=220, color=ORANGE, linewidths=2.5, label="the policy's weight"
        )
        axes.scatter(
            share["policy"][held], place[held], marker="x", color=GREY, s=36, label="not learned: stays", zorder=3
        )
        if true:
            followed = np.array([true[title][name] for name in table.index], dtype=float)
            label = "followed in the simulation"
            stars = followed / float(table["policy"].sum()) * 100
            axes.scatter(stars, place, marker="*", color=GREEN, s=70, label=label, zorder=3)
        axes.set(title=title, xlabel="percent of all weights", yticks=place, xlim=(-1, None))
        axes.set_yticklabels([words(name) for name in table.index])
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


@styled
def sets_of(matched: pd.DataFrame, *, title: str) -> Figure:
    """Which children are in which of several plans: one row a combination of plans, with how many children it has.

    Args:
        matched: one row a child, one column a plan, true where it matches the child.
    """
    counts = matched[matched.any(axis=1)].value_counts().sort_values(ascending=False)
    figure, (grid, bars) = new_figure(1, 2, figsize=(8, 1.3 + 0.34 * len(counts)), width_ratios=(1, 1.6), sharey=True)
    place = np.arange(len(counts))
    for i, combination in enumerate(counts.index):
        inside = [j for j, member in enumerate(combination) if member]
        grid.scatter(range(len(combination)), [i] * len(combination), color="#DDDDDD", s=45)
        grid.plot(inside, [i] * len(inside), color=BLUE, linewidth=2, marker="o", markersize=7)
    grid.set_xticks(range(matched.shape[1]), list(matched.columns), rotation=35, ha="right")
    grid.set_yticks([])
    grid.set_title("matched under")
    grid.invert_yaxis()
    bars.bar_label(bars.barh(place, counts.to_numpy(), color=BLUE), padding=3)
    bars.set(title=title, xlabel="children", xlim=(0, counts.max() * 1.12))
    bars.xaxis.get_major_locator().set_params(integer=True)
    for side in ("left", "bottom"):
        grid.spines[side].set_visible(False)
    return figure


def _panels(tables: Mapping[str, pd.DataFrame], width: float, height: float) -> tuple[Figure, Any]:
    """One a table, side by side on one scale."""
    size = 1.3 + width * len(tables), height
    return new_figure(1, len(tables), figsize=size, sharex=True, sharey=True, squeeze=False)


def _children(axes: Axes, ids: Sequence[str]) -> None:
    """Children down the side; their ids as long as they can be read."""
    readable = len(ids) <= 30
    axes.set_yticks(range(len(ids)) if readable else [], ids if readable else [], fontsize=7)
    axes.set_ylabel("" if readable else f"{len(ids)} children")


def _short(plan: Plan) -> str:
    """A policy's name as a legend can hold it."""
    return plan.policy if len(plan.policy) <= 45 else f"{plan.policy[:42]}…"

"""Pictures that a council report could carry: labelled, with units, told apart by shape as well as by colour.

    compare(plan_a, plan_b).picture()
    map_of(instance, plan).savefig("map.png")

Each gives a matplotlib Figure. Colours are those of Okabe and Ito, which people with any colour vision tell apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, radians
from typing import TYPE_CHECKING, Any

import numpy as np

from matcher.errors import analysis_extra
from matcher.frontier import Frontier
from matcher.geography import METRES_PER_MILE
from matcher.instance import Instance
from matcher.plan import KINDS, Plan, PlanDiff
from matcher.records import Place

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8A8A8A"

_STYLE: dict[str, Any] = {
    "font.size": 10, "axes.titlesize": 11, "axes.titlelocation": "left", "axes.spines.top": False,
    "axes.spines.right": False, "figure.dpi": 110, "savefig.bbox": "tight", "legend.frameon": False,
}  # fmt: skip

_MAP_MILES = (1, 2, 5, 10, 20, 50, 100)


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

    def picture(self) -> Figure:
        """How many children each change concerns, and the fit of those with another volunteer, before and after."""
        frame = self.frame
        figure, (counts, moves) = _figure(1, 2, figsize=(9, 4.2), width_ratios=(1, 1.5))
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


def map_of(instance: Instance, plan: Plan) -> Figure:
    """Where children and volunteers live, with a line for each match, and a scale. Places are outcodes or points."""
    figure, axes = _figure(figsize=(8, 7))
    children = {child.id: child.placement for child in instance.waiting if child.placement}
    homes = {one.id: one.home for one in instance.volunteers if one.home}
    matched = dict(plan.pairs)
    for child, volunteer in plan.pairs:
        if child in children and volunteer in homes:
            ends = children[child], homes[volunteer]
            axes.plot([e.longitude for e in ends], [e.latitude for e in ends], color=GREY, linewidth=0.9, zorder=1)
    given = set(matched.values())
    for label, places, style in (
        (
            "volunteer, free",
            [home for id, home in homes.items() if id not in given],
            {"marker": "s", "facecolors": "white", "edgecolors": ORANGE},
        ),
        ("volunteer, proposed", [home for id, home in homes.items() if id in given], {"marker": "s", "color": ORANGE}),
        (
            "child, not matched",
            [place for id, place in children.items() if id not in matched],
            {"facecolors": "white", "edgecolors": BLUE},
        ),
        ("child, matched", [place for id, place in children.items() if id in matched], {"color": BLUE}),
    ):
        # Many share an outcode: its centre shows how many by the size of the mark.
        at, number = np.unique(
            [(p.longitude, p.latitude) for p in places] or np.empty((0, 2)), axis=0, return_counts=True
        )
        axes.scatter(
            at[:, 0], at[:, 1], s=22 * number, linewidths=1.1, alpha=0.85, label=f"{label} ({len(places)})", **style
        )
    beyond = _near(
        axes, [*homes.values(), *(children[id] for id in matched if id in children)], list(children.values())
    )
    latitude = float(np.mean(axes.get_ylim()))
    axes.set_aspect(1 / cos(radians(latitude)))
    _scale_bar(axes, latitude)
    axes.set(xticks=[], yticks=[])
    axes.set_title(f"{len(plan.matches)} matches proposed, policy {plan.policy}, {plan.as_of:%d/%m/%Y}")
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    far = f"\n{beyond} children are placed further away" if beyond else ""
    legend = figure.legend(loc="outside right upper", title=f"larger: several at one place{far}", alignment="left")
    for mark in legend.legend_handles:
        if isinstance(mark, _matplotlib().collections.PathCollection):
            mark.set_sizes([30])
    return figure


def _near(axes: Axes, places: Sequence[Place], children: Sequence[Place]) -> int:
    """Shows the part in which volunteers live and matches are, and tells how many children are placed beyond it."""
    if not places:
        return 0
    at = np.array([(place.longitude, place.latitude) for place in places])
    low, high = at.min(axis=0), at.max(axis=0)
    low, high = low - 0.12 * (high - low) - 0.02, high + 0.12 * (high - low) + 0.02
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    all_of_them = np.array([(place.longitude, place.latitude) for place in children]).reshape(-1, 2)
    return int(((all_of_them < low) | (all_of_them > high)).any(axis=1).sum())


def _scale_bar(axes: Axes, latitude: float) -> None:
    """A bar of so many miles, and an arrow to the north."""
    degree = 111_320 * cos(radians(latitude))  # metres of a degree of longitude
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    miles = max((m for m in _MAP_MILES if m * METRES_PER_MILE / degree < (right - left) / 3), default=1)
    x, y = left + 0.02 * (right - left), bottom + 0.02 * (top - bottom)
    end = x + miles * METRES_PER_MILE / degree
    axes.plot([x, end], [y, y], color="black", linewidth=3, solid_capstyle="butt")
    axes.text((x + end) / 2, y + 0.012 * (top - bottom), f"{miles} miles", ha="center", va="bottom")
    axes.annotate("", (0.97, 0.11), (0.97, 0.01), "axes fraction", "axes fraction", arrowprops={"arrowstyle": "->"})
    axes.annotate("N", (0.97, 0.115), xycoords="axes fraction", ha="center", va="bottom")


def bars_of(counts: pd.Series[int], *, title: str, xlabel: str) -> Figure:
    """Numbers as bars in the order given, each with its number."""
    figure, axes = _figure(figsize=(8, 1.1 + 0.38 * len(counts)))
    bars = axes.barh([_words(name) for name in counts.index], counts.to_numpy(), color=BLUE)
    axes.bar_label(bars, padding=3, fmt="{:,.0f}")
    axes.invert_yaxis()
    axes.set(title=title, xlabel=xlabel, xlim=(0, max(float(counts.max()), 1) * 1.12))
    return figure


def frontier_of(frontier: Frontier) -> Figure:
    """Both trade-offs of `matcher.frontier`, the policy's own plan filled."""
    figure, (by_fit, by_budget) = _figure(1, 2, figsize=(9.5, 4))
    for axes, trade_off in ((by_fit, "fit"), (by_budget, "budget")):
        some = frontier.frame[(frontier.frame["trade_off"] == trade_off) & (frontier.frame["children"] > 0)]
        across = some["mean_fit"] if trade_off == "fit" else some["spent_pence"] / 100
        for own, style in ((False, {"facecolors": "white"}), (True, {"color": ORANGE, "marker": "D", "s": 70})):
            at = some["of_policy"] == own
            label = "the policy as it is" if own else "another plan"
            axes.scatter(
                across[at],
                some["children"][at],
                edgecolors=ORANGE if own else BLUE,
                label=label,
                zorder=2 + own,
                **style,
            )
        line = some[~some["of_policy"]].index
        axes.plot(across[line], some["children"][line], color=BLUE, linewidth=1, zorder=1)
    by_fit.set(
        title="More children, or better fit", xlabel="mean fit of a match, points of 1000", ylabel="children matched"
    )
    by_budget.set(
        title="More children, or less spent", xlabel="out of county, pounds a year", ylabel="children matched"
    )
    for axes in (by_fit, by_budget):
        axes.set_ylim(0, float(some["children"].max()) * 1.08)
        axes.yaxis.get_major_locator().set_params(integer=True)
    figure.legend(*by_fit.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def table_of(
    values: pd.DataFrame, *, title: str, label: str, xlabel: str, mark: Mapping[str, Any] | None = None
) -> Figure:
    """Numbers as a shaded table: one row a name, one column a level. `mark` frames the level that each row has now."""
    figure, axes = _figure(figsize=(1.6 + 0.62 * len(values.columns) + 1.6, 1.4 + 0.36 * len(values)))
    shades = axes.imshow(values.to_numpy(float), cmap="cividis", aspect="auto", vmin=0)
    most = float(np.nanmax(values.to_numpy(float))) or 1.0
    for i, row in enumerate(values.to_numpy(float)):
        for j, number in enumerate(row):
            axes.text(j, i, f"{number:g}", ha="center", va="center", color="black" if number > 0.55 * most else "white")
    for i, name in enumerate(values.index):
        if mark and mark.get(str(name)) in list(values.columns):
            j = [*values.columns].index(mark[str(name)])
            axes.add_patch(
                _matplotlib().patches.Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, edgecolor=ORANGE, linewidth=2.5)
            )
    names = [str(column) for column in values.columns]
    slope = {"rotation": 30, "ha": "right"} if max(map(len, names)) > 8 else {}
    axes.set_xticks(range(len(names)), names, **slope)
    axes.set_yticks(range(len(values)), [_words(name) for name in values.index])
    axes.set(title=title, xlabel=xlabel)
    axes.tick_params(length=0)
    figure.colorbar(shades, ax=axes, label=label, shrink=0.9)
    return figure


def indices_of(indices: Mapping[str, pd.DataFrame]) -> Figure:
    """Sobol's indices of each weight, as `designs.SobolDesign.indices` gives them, one panel a figure of the plan."""
    figure, panels = _figure(1, len(indices), figsize=(1.2 + 3.7 * len(indices), 4.2), sharey=True, squeeze=False)
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
        axes.set_yticklabels([_words(name) for name in order])
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def weights_of(tables: Mapping[str, pd.DataFrame], *, true: Mapping[str, Mapping[str, float]] | None = None) -> Figure:
    """Learned weights with their intervals beside the policy's, one panel a group of deciders.

    Args:
        tables: `WeightLearner.table` by title.
        true: where decisions were simulated, the weights that they followed, by the same titles and on the policy's
            scale; nan where a weight was not learned.
    """
    figure, panels = _figure(1, len(tables), figsize=(1.4 + 4.0 * len(tables), 4.6), sharey=True, squeeze=False)
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
        axes.set_yticklabels([_words(name) for name in table.index])
    figure.legend(*panels[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def sets_of(matched: pd.DataFrame, *, title: str) -> Figure:
    """Which children are in which of several plans: one row a combination of plans, with how many children it has.

    Args:
        matched: one row a child, one column a plan, true where it matches the child.
    """
    counts = matched[matched.any(axis=1)].value_counts().sort_values(ascending=False)
    figure, (grid, bars) = _figure(1, 2, figsize=(8, 1.3 + 0.34 * len(counts)), width_ratios=(1, 1.6), sharey=True)
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


def _figure(*args: Any, **kwargs: Any) -> tuple[Figure, Any]:
    pyplot = _matplotlib().pyplot
    with pyplot.rc_context(_STYLE):
        figure, axes = pyplot.subplots(*args, layout="constrained", **kwargs)
    pyplot.close(figure)  # whoever asked for it holds it; pyplot would keep every one of them
    return figure, axes


def _matplotlib() -> Any:
    with analysis_extra("A picture"):
        import matplotlib
        import matplotlib.collections
        import matplotlib.patches
        import matplotlib.pyplot
    return matplotlib


def _children(axes: Axes, ids: Sequence[str]) -> None:
    """Children down the side; their ids as long as they can be read."""
    readable = len(ids) <= 30
    axes.set_yticks(range(len(ids)) if readable else [], ids if readable else [], fontsize=7)
    axes.set_ylabel("" if readable else f"{len(ids)} children")


def _short(plan: Plan) -> str:
    """A policy's name as a legend can hold it."""
    return plan.policy if len(plan.policy) <= 45 else f"{plan.policy[:42]}…"


def _words(name: object) -> str:
    return str(name).replace("_", " ")

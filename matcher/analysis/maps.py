"""Where children and volunteers live, and who is matched with whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import cos, radians
from typing import TYPE_CHECKING, Any

import numpy as np

from matcher.analysis.style import BLUE, GREY, ORANGE, figure, matplotlib, styled
from matcher.geography import METRES_PER_MILE
from matcher.instance import Instance
from matcher.plan import Plan
from matcher.records import Place

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MAP_MILES = (1, 2, 5, 10, 20, 50, 100)


@styled
def map_of(instance: Instance, plan: Plan) -> Figure:
    """Where children and volunteers live, with a line for each match, and a scale. Places are outcodes or points.

    It shows where volunteers live and matches are, and tells how many children are placed beyond.
    """
    drawn, axes = figure(figsize=(8, 8))
    children = {child.id: child.placement for child in instance.waiting if child.placement}
    homes = {one.id: one.home for one in instance.volunteers if one.home}
    matched, given = dict(plan.pairs), {volunteer for _, volunteer in plan.pairs}
    within = _within(axes, [*homes.values(), *(place for id, place in children.items() if id in matched)])
    for child, volunteer in plan.pairs:
        if child in children and volunteer in homes:
            ends = children[child], homes[volunteer]
            axes.plot([e.longitude for e in ends], [e.latitude for e in ends], color=GREY, linewidth=0.9, zorder=1)
    shown = [place for place in (*homes.values(), *children.values()) if within(place)]
    for label, places, style in (
        ("volunteer, free", [home for id, home in homes.items() if id not in given], _HOLLOW_SQUARE),
        ("volunteer, proposed", [home for id, home in homes.items() if id in given], _SQUARE),
        ("child, not matched", [place for id, place in children.items() if id not in matched], _HOLLOW_CIRCLE),
        ("child, matched", [place for id, place in children.items() if id in matched], _CIRCLE),
    ):
        # Many share an outcode: its centre shows how many by the size of the mark.
        here = [(place.longitude, place.latitude) for place in places if within(place)]
        at, number = np.unique(here or np.empty((0, 2)), axis=0, return_counts=True)
        size = 40 if "marker" in style else 20  # a square is seen behind a circle at the same place
        axes.scatter(
            at[:, 0], at[:, 1], s=size * number, linewidths=1.1, zorder=2, label=f"{label} ({len(places)})", **style
        )
    latitude = float(np.mean(axes.get_ylim()))
    axes.set_aspect(1 / cos(radians(latitude)))
    _name_districts(axes, shown)
    _scale_bar(axes, latitude)
    axes.set(xticks=[], yticks=[])
    axes.set_title(f"{len(plan.matches)} matches proposed, policy {plan.policy}, {plan.as_of:%d/%m/%Y}")
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    beyond = sum(not within(place) for place in children.values())
    far = f"; {beyond} children are placed beyond this map" if beyond else ""
    legend = drawn.legend(loc="outside lower center", ncols=2, title=f"A larger mark: several at one place{far}")
    for mark in legend.legend_handles:
        if isinstance(mark, matplotlib().collections.PathCollection):
            mark.set_sizes([30])
    return drawn


_HOLLOW_SQUARE: Mapping[str, Any] = {"marker": "s", "facecolors": "white", "edgecolors": ORANGE}
_SQUARE: Mapping[str, Any] = {"marker": "s", "color": ORANGE}
_HOLLOW_CIRCLE: Mapping[str, Any] = {"facecolors": "none", "edgecolors": BLUE}
_CIRCLE: Mapping[str, Any] = {"color": BLUE}


def _within(axes: Axes, places: Sequence[Place]) -> Callable[[Place], bool]:
    """Shows the part in which these places are; whether another place is in it."""
    at = np.array([(place.longitude, place.latitude) for place in places] or [(0.0, 0.0)])
    low, high = at.min(axis=0), at.max(axis=0)
    low, high = low - 0.12 * (high - low) - 0.02, high + 0.12 * (high - low) + 0.02
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))

    def within(place: Place) -> bool:
        return bool(low[0] <= place.longitude <= high[0] and low[1] <= place.latitude <= high[1])

    return within


def _name_districts(axes: Axes, places: Iterable[Place]) -> None:
    """Outcodes beside their centres, those with most people first, as long as there is room between them."""
    at = {place.text: (place.longitude, place.latitude) for place in places if place.precision == "outcode"}
    number = Counter(place.text for place in places if place.precision == "outcode")
    width, height = np.ptp(axes.get_xlim()), np.ptp(axes.get_ylim())
    named: list[tuple[float, float]] = []
    for name, _ in number.most_common():
        x, y = at[name]
        if all(abs(x - other) > 0.07 * width or abs(y - above) > 0.03 * height for other, above in named):
            axes.annotate(
                name, (x, y), (6, 5), textcoords="offset points", fontsize=7, color="#404040", bbox=_PALE, zorder=1.5
            )
            named.append((x, y))


_PALE: Mapping[str, Any] = {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 0.6}


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

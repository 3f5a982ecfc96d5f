"""How every picture looks. Colours are those of Okabe and Ito, which people with any colour vision tell apart."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

from matcher.errors import analysis_extra
from matcher.words import spoken

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#8A8A8A"

_STYLE: dict[str, Any] = {
    "font.size": 10, "axes.titlesize": 11, "axes.titlelocation": "left", "axes.spines.top": False,
    "axes.spines.right": False, "figure.dpi": 110, "legend.frameon": False,
}  # fmt: skip

Asked = ParamSpec("Asked")


def styled(draw: Callable[Asked, Figure]) -> Callable[Asked, Figure]:
    """A picture in our style, whatever the style of whoever asks for it."""

    @wraps(draw)
    def drawn(*args: Asked.args, **kwargs: Asked.kwargs) -> Figure:
        with matplotlib().pyplot.rc_context(_STYLE):
            return draw(*args, **kwargs)

    return drawn


def figure(*args: Any, **kwargs: Any) -> tuple[Figure, Any]:
    """As `pyplot.subplots`; laid out so that nothing overlaps."""
    pyplot = matplotlib().pyplot
    drawn, axes = pyplot.subplots(*args, layout="constrained", **kwargs)
    pyplot.close(drawn)  # whoever asked for it holds it; pyplot would keep every one of them
    return drawn, axes


def matplotlib() -> Any:
    with analysis_extra("A picture"):
        import matplotlib
        import matplotlib.collections
        import matplotlib.patches
        import matplotlib.pyplot
    return matplotlib


def words(name: object) -> str:
    """A name of the code as a person reads it."""
    return spoken(str(name))

"""How figures look: light and dark themes, colours that any eye tells apart, SVG whose text is text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from gradreach.experiments.intervals import Count, interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Theme = Literal["light", "dark"]
Place = Literal["best", "upper left", "upper right", "lower left", "lower right"]
R = TypeVar("R")

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"
CYCLE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)
"""Okabe and Ito 2008: distinct with any colour vision, and on white and on dark ground."""

HEAT = "viridis"
INK: dict[Theme, tuple[str, str]] = {"light": ("#1f2328", "#d0d7de"), "dark": ("#d6dae0", "#3d444d")}
"""Ink and grid."""

GROUND: dict[Theme, str] = {"light": "white", "dark": "#131416"}
"""The ground behind a figure that is written as pixels; figures have none of their own."""


@contextmanager
def style(theme: Theme) -> Iterator[None]:
    """Draw figures in this theme, on no ground of their own, within the context."""
    import matplotlib as mpl
    from cycler import cycler

    ink, grid = INK[theme]
    settings: Any = {
        "axes.edgecolor": ink,
        "axes.labelcolor": ink,
        "axes.titlecolor": ink,
        "axes.titlesize": "medium",
        "axes.grid": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": cycler(color=CYCLE),
        "figure.constrained_layout.use": True,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "savefig.facecolor": "none",
        "grid.color": grid,
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "font.family": "sans-serif",
        "font.size": 10,
        "svg.fonttype": "none",
        "svg.hashsalt": "gradreach",
        "text.color": ink,
        "xtick.color": ink,
        "ytick.color": ink,
    }
    with mpl.rc_context(settings):
        yield


def axes(
    columns: int = 1, rows: int = 1, *, width: int | float = 7.5, height: int | float = 3.6, **layout: Any
) -> tuple[Figure, list[Axes]]:
    """Make a figure of `width` × `height` inches, with its axes row by row; `layout` as in Figure.subplots."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, list(figure.subplots(rows, columns, squeeze=False, **layout).flat)


def describe(panel: Axes, title: str, x: str, y: str, legend: Place | None = None, **axes: Any) -> None:
    """Name a panel and its axes; `legend` is where a legend in small type goes, `axes` what else Axes.set takes."""
    panel.set(title=title, xlabel=x, ylabel=y, **axes)
    if legend is not None:
        panel.legend(loc=legend, fontsize="small")


def error_bars(panel: Axes, at: Sequence[float], counts: Sequence[Count], scale: float = 1.0, **look: Any) -> None:
    """Draw the share of each count, times `scale`, with its exact 95 % interval."""
    rates = [scale * successes / n for successes, n in counts]
    ends = [interval(*each) for each in counts]
    below = [rate - scale * low for rate, (low, _) in zip(rates, ends, strict=True)]
    above = [scale * high - rate for rate, (_, high) in zip(rates, ends, strict=True)]
    panel.errorbar(at, rates, (below, above), **look)


def write(draw: Callable[[R], Figure], result: R, path: Path, theme: Theme = "light") -> None:
    """Write the figure of a result in the format that the file's ending says: .svg, .png or .pdf."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with style(theme):
        figure = draw(result)
        if path.suffix == ".svg":
            figure.savefig(path, metadata={"Date": None})
        else:
            figure.savefig(path, dpi=160, facecolor=GROUND[theme])

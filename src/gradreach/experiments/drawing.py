"""How figures look: light and dark, colours that any eye tells apart, SVG whose text is text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Theme = Literal["light", "dark"]
M = TypeVar("M")

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"
CYCLE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)
"""Okabe and Ito 2008: distinct with any colour vision, and on white and on dark ground."""

HEAT = "viridis"
INK: dict[Theme, tuple[str, str]] = {"light": ("#1f2328", "#d0d7de"), "dark": ("#d6dae0", "#3d444d")}
"""Ink and grid."""

GROUND: dict[Theme, str] = {"light": "white", "dark": "#131416"}
"""Of what has no ground of its own, where it is written as pixels."""


@contextmanager
def style(theme: Theme) -> Iterator[None]:
    """Within it figures are drawn in this theme, on no ground of their own."""
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
    """A figure of `width` × `height` inches and its axes, row by row; `layout` as for Figure.subplots."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, list(figure.subplots(rows, columns, squeeze=False, **layout).flat)


def write(draw: Callable[[M], Figure], measured: M, path: Path, theme: Theme = "light") -> None:
    """The figure of what was measured, as the file's ending says: .svg, .png, .pdf."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with style(theme):
        figure = draw(measured)
        if path.suffix == ".svg":
            figure.savefig(path, metadata={"Date": None})
        else:
            figure.savefig(path, dpi=160, facecolor=GROUND[theme])

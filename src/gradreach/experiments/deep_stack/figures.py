"""Gradient, movement and saturation layer by layer, and the error over the depth."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

import torch

from gradreach.experiments.deep_stack.measure import KINDS, Kind, Measured
from gradreach.experiments.drawing import BLUE, GREEN, ORANGE, PURPLE, VERMILION, axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NOT_AT_ALL = 1e-9


COLOURS = dict(zip(KINDS, (BLUE, PURPLE, GREEN, ORANGE, VERMILION), strict=True))


def draw(measured: Measured) -> Figure:
    """Gradient at the first step and movement after the last, layer by layer."""
    figure, (gradient, moved) = axes(2, width=9, height=4.6)
    L = measured.deep[0].depth
    at = list(range(1, L + 1))
    for kind in KINDS:
        nets = [each for each in measured.deep if each.kind == kind]
        _band(
            gradient,
            at,
            [[10 ** (e if e is not None else -40) for e in each.weight_gradient[:L]] for each in nets],
            kind,
        )
        _band(moved, at, [[max(e, NOT_AT_ALL) for e in each.moved[:L]] for each in nets], kind)
    last = fmean(
        e for each in measured.deep if each.kind == "logistic" for e in each.weight_gradient[L - 1 : L] if e is not None
    )
    gradient.plot(at, [10**last * 0.25 ** (L - each) for each in at], ":", color="gray", label="0.25 a layer")
    gradient.set(
        yscale="log", xlabel="layer, from the input", ylabel="‖∂L/∂W_l‖, nats", title="The gradient at the first step"
    )
    moved.set(
        yscale="log",
        xlabel="layer, from the input",
        ylabel="‖ΔW_l‖ / ‖W_l‖, no unit",
        title="How far training moved it (0 drawn at 10⁻⁹)",
    )
    _keys(figure, gradient)
    return figure


def draw_error(measured: Measured) -> Figure:
    """Error over the depth, and saturated units layer by layer."""
    figure, (error, saturated) = axes(2, width=9, height=4.4)
    depths = sorted({each.depth for each in measured.points})
    for kind in KINDS:
        seeds = sorted({each.seed for each in measured.points})
        at = {(each.depth, each.seed): each.error for each in measured.points if each.kind == kind}
        _band(error, depths, [[at[depth, seed] for depth in depths] for seed in seeds], kind, "o-")
    error.axhline(1 - max(measured.test_shares), color="gray", ls=":", label="best answer without looking")
    error.set(xlabel="layers", ylabel="test error, share wrong", ylim=(0, 1), title="What is learned")
    for kind in KINDS[:3]:
        nets = [each for each in measured.deep if each.kind == kind]
        order = list(range(1, len(nets[0].start.saturated) + 1))
        _band(saturated, order, [each.start.saturated for each in nets], kind, "--")
        _band(saturated, order, [each.end.saturated for each in nets], kind)
    for line, name in (("--", "before training"), ("-", "after training")):
        saturated.plot([], [], line, color="gray", label=name)
    saturated.legend(handles=saturated.lines[-2:], fontsize="small", loc="upper left")
    saturated.set(xlabel="layer, from the input", ylabel="saturated units, share", ylim=(-0.02, 1), title="Saturation")
    _keys(figure, error)
    return figure


def _keys(figure: Figure, panel: Axes) -> None:
    """The kinds under both panels, whose layers are counted in whole numbers."""
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize="small")
    for each in figure.axes:
        each.locator_params(axis="x", integer=True)


def _band(panel: Axes, x: list[int], seeds: list[list[float]], kind: Kind, line: str = "-") -> None:
    """The median over seeds, and from the least to the most."""
    each = torch.tensor(seeds, dtype=torch.float64)
    panel.plot(x, each.quantile(0.5, dim=0), line, color=COLOURS[kind], ms=4, label=kind)
    panel.fill_between(x, each.amin(0), each.amax(0), color=COLOURS[kind], alpha=0.2, lw=0)

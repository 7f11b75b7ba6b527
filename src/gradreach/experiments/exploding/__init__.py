"""Exploding: a run that falls, jumps and ends in NaN; the clip that prevents it, and the guard that goes back.

A ReLU RNN that starts at the identity echoes the symbol of three steps ago (cross-entropy, plain SGD). In the first
part the learning rate is raised 10,000-fold while it trains, until something breaks: without clipping, with it, and
without clipping under a guard. In the second part the rate stays where only clipping keeps the run finite, and the
threshold goes over a grid. Pascanu, Mikolov and Bengio 2013, sections 2 and 3.2.

network: the network, and how large its gradient may be and is
measure: the runs with a rising rate, the restart, the grid of thresholds
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from gradreach.experiments.claim import Claim, at_least, at_most, equal
from gradreach.experiments.drawing import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, axes, describe
from gradreach.experiments.experiment import Experiment
from gradreach.experiments.exploding.measure import (
    GRID,
    RATE,
    THRESHOLD,
    Ending,
    Result,
    Size,
    measure,
    middle,
    split,
)
from gradreach.experiments.exploding.network import H, T

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


LARGEST = math.log10(torch.finfo(torch.float32).max)


def claims(result: Result) -> tuple[Claim, ...]:
    """Claim how runs break, what clip and guard do about it, and which threshold helps."""
    endings = [course.ending for course in result.unclipped if course.ending is not None]
    runs = len(result.unclipped)
    every = f"each of {runs} seeds"
    return (
        at_least(
            f"Runs without clipping that end in inf or NaN, of {runs}",
            float(len(endings)),
            1.0,
            "it happens; not to every seed: in others the units die and the loss stays finite",
        ),
        *_broken(result, endings),
        at_most(
            f"Longest update with clipping at {THRESHOLD:g}, in rate × threshold",
            max(course.longest for course in result.clipped),
            1 + result.weights * 2**-24,
            f"1, and rounding of {result.weights} weights in float32",
        ),
        equal(
            "Weights that are NaN or inf after the same rise of the rate, with clipping and under the guard",
            0.0,
            float(sum(course.spoilt for course in (*result.clipped, *result.guarded))),
            0.0,
            every,
        ),
        equal(
            f"Weights that a restart from the snapshot after {result.restarted} updates changes",
            0.0,
            float(result.changed),
            0.0,
            "bit for bit: weights, optimizer, clip and generators are in it",
        ),
        *_choice(result),
    )


def _broken(result: Result, endings: list[Ending]) -> tuple[Claim, ...]:
    """Return the claims of the runs that broke, none where none did."""
    if not endings:
        return ()
    skipped = [
        len(kept.skipped)
        for kept, bare in zip(result.guarded, result.unclipped, strict=True)
        if bare.ending is not None
    ]
    return (
        at_least(
            "log₁₀ of the bound of the gradient, ∝ λ^T, at the weights that gave inf or NaN; the least",
            min(ending.log10_bound for ending in endings),
            LARGEST,
            "log₁₀ of float32's largest number: what the bound forbids cannot overflow",
        ),
        equal(
            "‖∂L/∂h₁‖ over ‖∂L/∂h_T‖ of the last step's loss one update earlier, by autograd over gr.reach's r(T − 1)",
            1.0,
            max((ending.growth / ending.reached for ending in endings), key=lambda ratio: abs(ratio - 1)),
            T * H * 2**-52,
            "rounding: T products of H terms in float64, which grow and so do not cancel",
        ),
        at_least(
            "Factor per step of gr.reach there; the least",
            min(ending.factor for ending in endings),
            1.0,
            f"at 1 or less nothing explodes; over {T - 1} steps it makes "
            f"{min(ending.factor for ending in endings) ** (T - 1):.0e} and more",
        ),
        at_least(
            "Weights that are NaN or inf one update later; the fewest",
            float(min(ending.spoilt for ending in endings)),
            1.0,
            "a gradient that is not finite spoils what it moves",
        ),
        at_least(
            "Steps that the guard skips in a run that breaks without it; the fewest",
            float(min(skipped)),
            1.0,
            "the same run as without it, up to a step that is bad",
        ),
    )


def _choice(result: Result) -> tuple[Claim, Claim]:
    fixed, auto = split(result.trials)
    finite = [threshold for threshold, found in fixed if math.isfinite(middle(found))]
    spacing = fixed[1][0] / fixed[0][0]
    throw = result.size_of_weights / RATE
    at, best = min(fixed, key=lambda pair: middle(pair[1]))
    sound = [loss for loss in best.final if loss is not None]
    return (
        Claim(
            "Highest threshold of the grid at which every seed stays finite",
            throw,
            max(finite),
            None,
            throw * spacing,
            f"‖w‖/rate: an update as long as the weights throws; one step of the grid is {spacing:.3g}",
        ),
        Claim(
            f"Final loss with gr.Clip(optimizer), over that with the best threshold, {at:g}",
            1.0,
            middle(auto) / middle(best),
            None,
            max(sound) / min(sound),
            f"what one seed differs from another at {at:g} (geometric means of {len(sound)}); not so under Adam",
        ),
    )


def draw_course(result: Result) -> Figure:
    """Draw the losses and norms of the three runs of the first seed, over the updates."""
    figure, (loss, norm) = axes(2, width=9, height=3.6)
    kinds = (
        (result.unclipped, VERMILION, "no clipping", 2.4),
        (result.guarded, PURPLE, "no clipping, guard", 1.6),
        (result.clipped, SKY, f"clipped at {THRESHOLD:g}", 1.0),
    )
    for courses, colour, label, width in kinds:
        for panel, values in ((loss, courses[0].loss), (norm, courses[0].norm)):
            panel.semilogy([math.nan if v is None else v for v in values], color=colour, lw=width, label=label)
    _mark(loss, norm, result)
    describe(loss, "An unstable learning curve", "update (the rate rises 10,000-fold)", "loss, nats")
    describe(norm, "The norm's curve", "update (the rate rises 10,000-fold)", "gradient norm, no unit")
    loss.legend(loc="upper left")
    return figure


def _mark(loss: Axes, norm: Axes, result: Result) -> None:
    ending = result.unclipped[0].ending
    if ending is not None:
        for panel in (loss, norm):
            panel.axvline(ending.update, color=VERMILION, ls=":", lw=1)
        loss.annotate(
            f"NaN at {ending.update} ",
            (ending.update, 1.0),
            xycoords=("data", "axes fraction"),
            ha="right",
            va="top",
            color=VERMILION,
        )
    for step in result.guarded[0].went_back:
        norm.axvline(step, color=PURPLE, ls="--", lw=1)
    norm.axhline(THRESHOLD, color=SKY, ls="--", lw=1)


def draw_thresholds(result: Result) -> Figure:
    """Draw the loss at the end of each seed's run over the threshold."""
    figure, (panel,) = axes(width=9, height=3.6)
    fixed, auto = split(result.trials)
    losses = [loss for _, found in (*fixed, (0.0, auto)) for loss in found.final if loss is not None]
    top = 8 * max(losses)
    for threshold, found in fixed:
        panel.plot([threshold] * len(found.final), [loss or top for loss in found.final], "o", color=BLUE, alpha=0.5)
    line = [(threshold, middle(found)) for threshold, found in fixed if math.isfinite(middle(found))]
    panel.plot(*zip(*line, strict=True), color=BLUE, label="fixed: each seed,\nand their geometric mean")
    used = [(u, loss) for u, loss in zip(auto.used, auto.final, strict=True) if u is not None and loss is not None]
    panel.plot(*zip(*used, strict=True), "D", color=ORANGE, label="auto, at the median\nof what it chose")
    panel.axhline(top, color=VERMILION, ls=":", label="inf or NaN")
    panel.axvline(result.size_of_weights / RATE, color=GREEN, ls="--", label="‖w‖ / rate")
    panel.set(
        xscale="log", yscale="log", xlabel="threshold of the global norm, no unit", ylabel="loss at the end, nats"
    )
    panel.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize="small")
    return figure


EXPERIMENT = Experiment(
    name="exploding",
    lesson=7,
    title="Exploding, clipped, guarded",
    sizes={
        "quick": Size(runs=2, updates=150, seeds=3, trained=80, thresholds=GRID[::2]),
        "usual": Size(runs=5, updates=200, seeds=10, trained=400, thresholds=GRID),
    },
    result=Result,
    measure=measure,
    claims=claims,
    figures={"exploding": draw_course, "thresholds": draw_thresholds},
)

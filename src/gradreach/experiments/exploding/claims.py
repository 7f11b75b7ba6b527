"""What is claimed of the runs with a rising rate, and of the thresholds."""

from __future__ import annotations

import math

import torch

from gradreach.experiments.claim import Claim, at_least, at_most, equal
from gradreach.experiments.exploding.measure import RATE, THRESHOLD, Ending, Measured, middle, split
from gradreach.experiments.exploding.network import H, T

LARGEST = math.log10(torch.finfo(torch.float32).max)


def claims(measured: Measured) -> tuple[Claim, ...]:
    """How it breaks, what clip and guard do about it, and which threshold helps."""
    endings = [course.ending for course in measured.unclipped if course.ending is not None]
    runs = len(measured.unclipped)
    every = f"each of {runs} seeds"
    return (
        at_least(
            f"Runs without clipping that end in inf or NaN, of {runs}",
            float(len(endings)),
            1.0,
            "it happens; not to every seed: in others the units die and the loss stays finite",
        ),
        *_broken(measured, endings),
        at_most(
            f"Longest update with clipping at {THRESHOLD:g}, in rate × threshold",
            max(course.longest for course in measured.clipped),
            1 + measured.weights * 2**-24,
            f"1, and rounding of {measured.weights} weights in float32",
        ),
        equal(
            "Weights that are NaN or inf after the same rise of the rate, with clipping and under the guard",
            0.0,
            float(sum(course.spoilt for course in (*measured.clipped, *measured.guarded))),
            0.0,
            every,
        ),
        equal(
            f"Weights that a restart from the snapshot after {measured.restarted} updates changes",
            0.0,
            float(measured.changed),
            0.0,
            "bit for bit: weights, optimizer, clip and generators are in it",
        ),
        *_choice(measured),
    )


def _broken(measured: Measured, endings: list[Ending]) -> tuple[Claim, ...]:
    """Of the runs that broke; nothing where none did."""
    if not endings:
        return ()
    skipped = [
        len(kept.skipped)
        for kept, bare in zip(measured.guarded, measured.unclipped, strict=True)
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


def _choice(measured: Measured) -> tuple[Claim, Claim]:
    fixed, auto = split(measured.trials)
    finite = [threshold for threshold, found in fixed if math.isfinite(middle(found))]
    spacing = fixed[1][0] / fixed[0][0]
    throw = measured.size_of_weights / RATE
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

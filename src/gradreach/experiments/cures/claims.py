"""What theory says of a layer's reach before training, and who succeeds."""

from __future__ import annotations

import math

import torch

from gradreach.experiments.claim import Claim, at_least, at_most
from gradreach.experiments.cures.measure import NAMES, H, Measured, of
from gradreach.experiments.intervals import FISHER, LEVEL, chance_of, interval, successes

PLAIN = ("tanh RNN", "clipping")
CARRYING = ("ReLU + identity", "GRU", "LSTM", "chrono LSTM")
"""Whose state has a path on which it stays nearly as it is."""


def claims(measured: Measured) -> tuple[Claim, ...]:
    """What theory says of a layer's reach before training; and, where there are several seeds, who succeeds."""
    off = [outcome.off for outcome in measured.outcomes if outcome.off is not None]
    slopes = "the products of the least and of the largest slope at each step, as W keeps every norm"
    return (
        bounded(measured, "rnn", "κ(V) ρ^ℓ, the bound of the linear RNN, W = V Λ V⁻¹; tanh only lowers it"),
        bounded(measured, "orthogonal", slopes),
        bounded(
            measured, "irnn", "the share of the error on units with positive input weights, which never end; and 1"
        ),
        at_most(
            "orthogonal: ‖WᵀW − 1‖₂ of W_hh after training",
            max(off),
            4 * H * torch.finfo(torch.float32).eps,
            f"rounding: 4 H ε of float32, H = {H}",
        ),
        *(compared(measured) if len({outcome.seed for outcome in measured.outcomes}) > 1 else ()),
    )


def bounded(measured: Measured, layer: str, why: str) -> Claim:
    """How far r(ℓ) is outside its bounds, at worst: negative where it is everywhere within."""
    outside = -math.inf
    for each in (each for each in measured.reached if each.layer == layer):
        least = each.least or [-math.inf] * len(each.lags)
        most = each.most or [math.inf] * len(each.lags)
        for i in range(1, len(each.lags)):
            outside = max(outside, least[i] - each.reach[i], each.reach[i] - most[i])
    says = f"{NAMES[layer]} before training: farthest of log₁₀ r(ℓ), any ℓ > 0, outside its bounds (within: < 0)"
    return Claim(says, None, outside, None, 1e-4, f"{why}; four digits are kept")


def compared(measured: Measured) -> tuple[Claim, ...]:
    """What takes several seeds."""
    runs = [of(measured, cures) for cures in (CARRYING, PLAIN)]
    (carrying, n), (plain, m) = ((successes(each), len(each)) for each in runs)
    longest = max(outcome.lag for outcome in measured.outcomes)
    far = [outcome for outcome in of(measured, PLAIN) if outcome.lag == longest]
    return (
        Claim(
            f"Chance that {', '.join(CARRYING)} succeed so much more often than {' and '.join(PLAIN)} "
            f"({carrying} of {n} against {plain} of {m} runs) if they are no better",
            None,
            chance_of(carrying, n, plain, m),
            None,
            LEVEL,
            FISHER,
        ),
        Claim(
            f"Runs of {' and '.join(PLAIN)} that succeed at lag {longest}",
            0.0,
            float(successes(far)),
            0.0,
            0.0,
            f"no gradient arrives from there; of {len(far)} runs, so at most {100 * interval(0, len(far))[1]:.0f} % "
            "would at 95 %",
        ),
        at_least(
            f"Cures of which some run succeeds at lag {longest}",
            float(len({o.cure for o in measured.outcomes if o.lag == longest and o.solved is not None})),
            1.0,
            "the lag can be learned within the budget",
        ),
    )

"""Truncated backpropagation through time: what a window costs, what it trains, what the state still carries.

Williams and Peng 1990: the gradient goes back k2 steps at every k1-th step, the state goes on for ever. Four parts:
the cost of a window, counted; its bias b(k) against the gradient's own error; echo at a lag n with windows around n;
and a sensor signal of 65,536 steps in one pass.
"""

from __future__ import annotations

from gradreach.experiments.experiment import Experiment
from gradreach.experiments.truncation.claims import claims
from gradreach.experiments.truncation.figures import draw_bias, draw_learned
from gradreach.experiments.truncation.measure import Measured, Size, measure

EXPERIMENT = Experiment(
    title="Truncated backpropagation through time",
    sizes={
        "quick": Size(lag=5, windows=((1, 2), (1, 5), (1, 7), (2, 7)), updates=200, seeds=3, signal=8192, biased=16),
        "usual": Size(
            lag=6,
            windows=((1, 1), (1, 3), (1, 5), (1, 6), (1, 7), (1, 8), (1, 12), (3, 6), (3, 9), (6, 12)),
            updates=1500,
            seeds=8,
            signal=65_536,
            biased=48,
        ),
    },
    measured=Measured,
    measure=measure,
    claims=claims,
    figures={"learned": draw_learned, "bias": draw_bias},
)

"""Exploding: a run that falls, jumps and ends in NaN; the clip that prevents it, and the guard that goes back.

A ReLU RNN that starts at the identity echoes the symbol of three steps ago (cross-entropy, plain SGD). In the first
part the learning rate is raised 10,000-fold while it trains, until something breaks: without clipping, with it, and
without clipping under a guard. In the second part the rate stays where only clipping keeps the run finite, and the
threshold goes over a grid. Pascanu, Mikolov and Bengio 2013, sections 2 and 3.2.
"""

from __future__ import annotations

from gradreach.experiments.experiment import Experiment
from gradreach.experiments.exploding.claims import claims
from gradreach.experiments.exploding.figures import draw_course, draw_thresholds
from gradreach.experiments.exploding.measure import GRID, Measured, Size, measure

EXPERIMENT = Experiment(
    title="Exploding, clipped, guarded",
    sizes={
        "quick": Size(runs=2, updates=150, seeds=3, trained=80, thresholds=GRID[::2]),
        "usual": Size(runs=5, updates=200, seeds=10, trained=400, thresholds=GRID),
    },
    measured=Measured,
    measure=measure,
    claims=claims,
    figures={"exploding": draw_course, "thresholds": draw_thresholds},
)

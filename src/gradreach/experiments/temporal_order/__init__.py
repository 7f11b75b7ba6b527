"""Temporal order, learned by gradient descent alone, with clipping, and with clipping and the regulariser Ω.

Pascanu, Mikolov and Bengio 2013, section 4.1.1 and figure 7, with their settings: 50 tanh units, batches of 20, a
constant rate of 0.01 without momentum, threshold 1, weight of Ω 4, and a run succeeds at 1 % wrong. Their third start,
with logistic units, is left out: torch's RNN has none. They test on 10 000 sequences, here 512 decide. The usual
lengths and updates were set after trials with seed 0, which is not among those measured.
"""

from __future__ import annotations

from gradreach.experiments.experiment import Experiment
from gradreach.experiments.temporal_order.claims import claims
from gradreach.experiments.temporal_order.figures import draw
from gradreach.experiments.temporal_order.measure import Measured, Size, measure

EXPERIMENT = Experiment(
    title="Temporal order: clipping and Ω",
    sizes={
        "quick": Size(("smart tanh",), (10,), seeds=1, updates=1500),
        "usual": Size(("smart tanh",), (10, 20, 30, 40), seeds=5, updates=12_000),
        "full": Size(("basic tanh", "smart tanh"), (50, 100, 150, 200, 250), seeds=5, updates=5_000_000),
    },
    measured=Measured,
    measure=measure,
    claims=claims,
    figures={"temporal-order": draw},
)

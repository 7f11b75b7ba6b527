"""The cures for gradients that do not arrive, compared at equal budget on adding and copying at lags up to 400.

Every cure gets the same units, batches, updates, optimizer and the same two learning rates; what differs is the layer,
whether its gradient is clipped, and Ω. All but the plain RNN are clipped. Runs at both rates count, so no cure is
helped by its better one. Rates, updates and the form of copying were set after a few trials with seed 0, in which the
GRU learned at the higher rate and ReLU at the lower; that seed is not among those measured.
"""

from __future__ import annotations

from gradreach.experiments.cures.claims import claims
from gradreach.experiments.cures.figures import draw, draw_reach
from gradreach.experiments.cures.measure import Measured, Size, measure
from gradreach.experiments.experiment import Experiment

EXPERIMENT = Experiment(
    title="The cures compared",
    sizes={
        "quick": Size((10,), seeds=1, updates=20, reach=100),
        "usual": Size((20, 50, 100, 200, 400), seeds=2, updates=1000, reach=400),
        "full": Size((20, 50, 100, 200, 400), seeds=10, updates=10_000, reach=400),
    },
    measured=Measured,
    measure=measure,
    claims=claims,
    figures={"cures": draw, "cures-reach": draw_reach},
)

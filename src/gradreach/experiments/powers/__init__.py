"""Powers: what |λ|ⁿ does to a linear recurrence and to numbers of finite width, and what tanh does where λ = 1."""

from __future__ import annotations

from gradreach.experiments.experiment import Experiment
from gradreach.experiments.powers.claims import claims
from gradreach.experiments.powers.figures import draw_formats, draw_recurrence, draw_tanh
from gradreach.experiments.powers.measure import Measured, Size, measure

EXPERIMENT = Experiment(
    title="Powers, and the width of numbers",
    sizes={"quick": Size(linear=200), "usual": Size(linear=400)},
    measured=Measured,
    measure=measure,
    claims=claims,
    figures={"powers-eigenvalue": draw_recurrence, "powers-formats": draw_formats, "powers-tanh": draw_tanh},
)

"""The deep stack: a gradient that passes L logistic layers shrinks by 0.25 and the weights' own factor at each.

∂L/∂h_{l−1} = W_lᵀ diag(σ′(a_l)) ∂L/∂h_l, σ′ ≤ 1/4: the first layers of a deep logistic stack get nothing and learn
nothing, and what they hand on is as good as constant. Slopes of 1 (ReLU) with weights that keep the size (He et al.
2015), or a path past each layer (He et al. 2016), cure it. Real digits, Adam, the same rate for all.
"""

from __future__ import annotations

from gradreach.experiments.deep_stack.claims import claims
from gradreach.experiments.deep_stack.figures import draw, draw_error
from gradreach.experiments.deep_stack.measure import Measured, Size, measure
from gradreach.experiments.experiment import Experiment

EXPERIMENT = Experiment(
    title="The deep stack",
    sizes={
        "quick": Size(depth=14, depths=(1,), updates=200, seeds=1),
        "usual": Size(depth=20, depths=(1, 2, 3, 5, 8, 12), updates=600, seeds=5),
    },
    measured=Measured,
    measure=measure,
    claims=claims,
    figures={"deep-stack": draw, "deep-stack-error": draw_error},
)

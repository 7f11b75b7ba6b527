"""The Jacobian product: ∂h_t/∂h_k = Π diag(σ′(a_i)) W_hh over i = k+1 … t, and ‖∂h_t/∂h_k‖ ≤ (γλ)^{t−k}.

Pascanu, Mikolov and Bengio 2013, section 2.2; γ = 1 for tanh and 1/4 for the logistic function. The bound is tight
where every slope is γ and W_hh/λ is orthogonal; it is hopeless where ρ < λ, or where units are saturated.
"""

from __future__ import annotations

from gradreach.experiments.experiment import Experiment
from gradreach.experiments.jacobian_product.claims import claims
from gradreach.experiments.jacobian_product.figures import draw, draw_bound
from gradreach.experiments.jacobian_product.measure import Measured, Size, measure

EXPERIMENT = Experiment(
    title="The Jacobian product and its bound",
    sizes={
        "quick": Size(d=16, T=40, seeds=1, d_small=5, T_small=8),
        "usual": Size(d=64, T=200, seeds=5),
    },
    measured=Measured,
    measure=measure,
    claims=claims,
    figures={"jacobian-product": draw, "jacobian-bound": draw_bound},
)

"""An eps that the weights' format can hold."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def with_eps(optimizer: str = "Adam") -> str:
    """The optimizer with an eps that float16 can hold."""
    return f"torch.optim.{optimizer}(parameters, lr, eps=1e-4)  # or float32 weights under torch.autocast"


OPTIMIZER_EPS = Advice(
    id="optimizer-eps",
    does="below 6e-8 an eps is 0 in float16, and the update 0 / 0 wherever the gradient is small",
    code=with_eps,
    answers=("GR301",),
    unfit="Where memory allows float32 weights: train them under torch.autocast, which needs no other eps.",
)

"""Set the optimizer's eps to what is usual."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _argument(now: float) -> str:
    return f"eps=1e-8  # for the optimizer, in place of {now:.3g}; the learning rate stays"


SMALL_EPS = Advice(
    id="small-eps",
    does="the step is then as long as the learning rate says, however small the gradient is",
    code=_argument,
    answers=("GR313",),
    unfit="Where steps are meant to follow the gradient's size: raise the rate instead.",
)

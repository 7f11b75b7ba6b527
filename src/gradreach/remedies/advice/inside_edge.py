"""Keep an argument inside of the edge of a function's domain."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

_BOUNDS = {
    "acosh": "torch.acosh(x.clamp(min=1 + 1e-6))",
    "logit": "torch.logit(x, eps=1e-6)",
    "atan2": "torch.atan2(y, torch.where((x == 0) & (y == 0), 1e-6, x))",
}


def inside(operation: str = "acos") -> str:
    """The operation of an argument that stays inside."""
    return _BOUNDS.get(operation, f"torch.{operation}(x.clamp(-1 + 1e-6, 1 - 1e-6))")


INSIDE_EDGE = Advice(
    id="inside-edge",
    does="at the edge of its domain the slope is infinite, and beyond it the value is NaN",
    code=inside,
    answers=("GR301",),
    unfit="Where the values at the edge must have a slope: use another measure, as 1 − cos for an angle.",
)

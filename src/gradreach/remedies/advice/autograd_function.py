"""A backward pass of one's own as an autograd.Function."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(kind: str) -> str:
    return (
        f"class {kind}Function(torch.autograd.Function):  # with forward and backward as static methods, for instance\n"
        "    forward = staticmethod(lambda ctx, x: x.view_as(x))\n"
        "    backward = staticmethod(lambda ctx, gradient: -gradient)\n"
        f"# and in forward of {kind}: return {kind}Function.apply(x)"
    )


AUTOGRAD_FUNCTION = Advice(
    id="autograd-function",
    does="autograd runs the backward of a Function",
    code=_code,
    answers=("GR317",),
    unfit="Where the script calls the method itself.",
)

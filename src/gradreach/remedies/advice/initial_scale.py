"""Initial weights of the right scale (Glorot, Bengio 2010; He, Zhang, Ren, Sun 2015)."""

from __future__ import annotations

from collections.abc import Collection

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression

_STARTS = {
    "tanh": "nn.init.xavier_normal_({}, gain=5 / 3)",
    "sigmoid": "nn.init.xavier_normal_({}, gain=4)",
    "recurrent": "nn.init.xavier_uniform_({})",
}


def _code(weight: str, activation: str, root: str = "", kinds: Collection[str] = ()) -> str:
    """The start of one `weight` before that activation; with `kinds` that of each such module in the model `root`.

    The activation is "recurrent" for weights that enter the sum of a recurrent layer.
    """
    start = _STARTS.get(activation, "nn.init.kaiming_normal_({}, nonlinearity='relu')").format(weight)
    if not kinds:
        return start
    names = [f"nn.{kind}" for kind in sorted(set(kinds))]
    kind = names[0] if len(names) == 1 else f"({', '.join(names)})"
    return f"for m in {expression(root)}.modules():\n    if isinstance(m, {kind}):\n        {start}"


INITIAL_SCALE = Advice(
    id="initial-scale",
    does="weights of this size neither shrink nor stretch signal and gradient from layer to layer",
    code=_code,
    answers=("GR103", "GR201", "GR202", "GR203"),
    unfit="For models that are trained already.",
)

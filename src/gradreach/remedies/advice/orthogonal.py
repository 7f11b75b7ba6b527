"""Start the recurrent matrix orthogonal (Saxe, McClelland, Ganguli 2014)."""

from __future__ import annotations

from gradreach.record.kinds import gates
from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import parameter


def _code(module: str, kind: str, layer: int | None, direction: str | None) -> str:
    """Each gate's own block where there are several."""
    weight = parameter("weight_hh", module, kind, layer, direction)
    if not weight:
        return f"nn.init.orthogonal_(W)  # W: the matrix of `{module or kind}` that multiplies the state"
    if gates(kind) > 1:
        return f"for W in {weight}.data.chunk({gates(kind)}): nn.init.orthogonal_(W)"
    return f"nn.init.orthogonal_({weight})"


ORTHOGONAL = Advice(
    id="orthogonal",
    does="‖W_hh‖₂ = 1 in every direction: only the activation's slope shrinks the gradient",
    code=_code,
    answers=("GR101", "GR102", "GR103", "GR104", "GR301", "GR402"),
    unfit="For models that are trained already; training moves W_hh away again unless it is held there.",
)

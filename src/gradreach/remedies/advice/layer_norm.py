"""Normalisation behind a layer with weights."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(module: str, kind: str, width: int) -> str:
    """A layer's `width` in units; 0 where it is not known."""
    size = width or "width"
    norm = f"nn.GroupNorm(1, {size})" if "Conv" in kind else f"nn.LayerNorm({size})"
    return f"{norm}  # before the activation that follows `{module}`, and so on"


LAYER_NORM = Advice(
    id="layer-norm",
    does="sets each layer's scale anew, forward and back",
    code=_code,
    answers=("GR201", "GR202", "GR203"),
    unfit="Where the scale of the activations itself carries what is to be learned.",
)

"""How large the input of a model is: the rms that its first layer's output and weights tell of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gradreach.facts.depth import in_order
from gradreach.facts.statistics import is_positive
from gradreach.record.look import DepthLook, Look


def input_sizes(looks: Sequence[Look], root_of: Callable[[str], str]) -> dict[str, float]:
    """The rms of the input of each root whose first module is a Linear or a convolution, at the first look at it.

    For weights of mean 0, as at the start, the rms of W x is ‖W‖ / √units times that of x. So it is an estimate, good
    to a factor of two or three.
    """
    sizes: dict[str, float] = {}
    for look in looks:
        first: dict[str, DepthLook] = {}
        for seen in in_order(look):
            first.setdefault(root_of(seen.module), seen)
        for root, seen in first.items():
            if (size := _of(seen)) is not None:
                sizes.setdefault(root, size)
    return sizes


def _of(seen: DepthLook) -> float | None:
    """The rms of what one layer takes in; None for other kinds and where it cannot be told."""
    if not ("Linear" in seen.kind or "Conv" in seen.kind) or not seen.units:
        return None
    if not is_positive(seen.activation_rms) or not is_positive(seen.weight_norm):
        return None
    return float(seen.activation_rms * seen.units**0.5 / seen.weight_norm)

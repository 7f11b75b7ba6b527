"""The option records of `gr.tbptt`: how a batch lies in x, and how k2 is chosen by what truncation would lose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from jaxtyping import Bool, Int
from torch import Tensor

from gradreach.remedies.tbptt.arguments import check_loss

Loss = Callable[[Any, Any], Tensor]
"""loss(output, y) -> scalar, of a window's output and targets."""


@dataclass(frozen=True, slots=True, eq=False)
class BatchLayout:
    """How a batch lies in x: where time is, where its rows (sequences) end, and what they begin anew with.

    `dim`: where x, y and outputs have time; by default 0, or 1 where `step` is a layer with batch_first, or a module in
    which all recurrent layers are so.
    `batch_dim`: where every leaf of the state has the rows; by default it is found from the leaf's shape.
    `lengths`, (B,): the steps of each row of a padded batch. A row shorter than T ends there, and stands at its initial
    state afterwards; a row as long as T goes on.
    `ends`, (T, B) or (B, T) as x's first two dimensions: True where the row ends with this step and begins anew after
    it. No gradient crosses an end.
    `initial`: the state that a row begins anew with, built like the state and broadcast to it; zeros by default.
    """

    dim: int | None = None
    batch_dim: int | None = None
    lengths: Int[Tensor, " B"] | Sequence[int] | None = None
    ends: Bool[Tensor, "_ _"] | Sequence[Sequence[bool]] | None = None
    initial: Any = None


@dataclass(frozen=True, slots=True)
class AutoK2:
    """Choose k2 as the smallest of k1, 2 k1, 3 k1, 4 k1, 6 k1, … whose truncation bias is at most `tolerance`.

    The bias is measured with `loss`, a function of a window's output and targets, on the first max(32 k1, 256) steps
    (see `truncation_bias`); k2 is all of these where no smaller one is within the tolerance. Raises TypeError or
    ValueError where loss cannot be called or tolerance is not between 0 and 1.
    """

    loss: Loss
    tolerance: float = 0.05

    def __post_init__(self) -> None:
        check_loss(self.loss)
        if not isinstance(self.tolerance, Real) or not 0 < float(self.tolerance) < 1:
            raise ValueError(f"tolerance: expected a number between 0 and 1, got {self.tolerance!r}")

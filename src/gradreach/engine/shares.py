"""What the gradient of the weights owes to each lag: s(ℓ) and b(k), from dW_ℓ one after another."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


class Shares:
    """Takes dW_ℓ from dW lag by lag, all in units of ‖dW‖.

    Whoever finds dW_ℓ subtracts dW_ℓ / `size` from `rest`, in place, and then calls `record`; `rest` is
    (dW − Σ dW_ℓ) / ‖dW‖ in the shape of dW.
    """

    def __init__(self, dW: Float[Tensor, "*shape"]) -> None:
        self.size = float(torch.linalg.vector_norm(dW, dtype=torch.float64)) or math.nan
        self._unit = dW / self.size
        self.rest = self._unit.clone(memory_format=torch.contiguous_format)
        self._inner: list[Tensor] = []
        self._left: list[Tensor] = []
        self.record()

    def record(self) -> None:
        """Note ⟨rest, dW⟩ / ‖dW‖² and ‖rest‖² / ‖dW‖² as they stand."""
        flat = self.rest.flatten()
        self._inner.append(flat.dot(self._unit.flatten()))
        self._left.append(flat.dot(flat))

    def figures(self, lags: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """s(ℓ) = ⟨dW_ℓ, dW⟩ / ‖dW‖² and b(k) = ‖dW − Σ_{ℓ<k} dW_ℓ‖ / ‖dW‖; what was not taken has no share.

        Both empty where dW is 0 or not finite.
        """
        along, left = torch.stack(self._inner).double().cpu(), torch.stack(self._left).double().cpu()
        if not bool(along.isfinite().all() & left.isfinite().all()):
            return (), ()
        untaken = lags + 1 - len(along)
        shares, biases = (along[:-1] - along[1:]).tolist(), left.sqrt().tolist()
        return tuple(shares + [0.0] * untaken), tuple(biases + biases[-1:] * untaken)

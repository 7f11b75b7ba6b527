"""Between the shapes that a stock recurrent module speaks and the engine's (T, B, H)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from gradreach.engine.forward import active_rows


@dataclass(frozen=True, slots=True)
class Layout:
    """How one call laid out its sequence. A packed call's rows stay sorted by length inside the engine."""

    batch_first: bool = False
    unbatched: bool = False
    packed: PackedSequence | None = None

    @property
    def sizes(self) -> tuple[int, ...] | None:
        """The number of active rows at each step of the data; None where all rows are as long as the sequence."""
        return None if self.packed is None else tuple(self.packed.batch_sizes.tolist())

    def sequence_in(self, y: Tensor | PackedSequence) -> Float[Tensor, "T B F"]:
        """Turn a sequence in the module's layout, or the `data` of a packed one, into (T, B, F); padding becomes 0."""
        data = y.data if isinstance(y, PackedSequence) else y
        if self.packed is not None:
            mask = self._mask(data.device)
            return data.new_zeros((*mask.shape, data.shape[-1])).index_put_((mask,), data)
        if self.unbatched:
            return data.unsqueeze(1)
        return data.transpose(0, 1) if self.batch_first else data

    def sequence_out(self, y: Float[Tensor, "T B F"]) -> Tensor | PackedSequence:
        """Turn (T, B, F) into the module's own layout."""
        if self.packed is not None:
            _, batch_sizes, sorted_indices, unsorted_indices = self.packed
            return PackedSequence(y[self._mask(y.device)], batch_sizes, sorted_indices, unsorted_indices)
        if self.unbatched:
            return y.squeeze(1)
        return y.transpose(0, 1) if self.batch_first else y

    def state_in(self, s: Tensor) -> Float[Tensor, "L B F"]:
        """Bring the rows of a state (or of its gradient) of all layers and directions into the engine's order."""
        if self.unbatched:
            return s.unsqueeze(1)
        indices = None if self.packed is None else self.packed.sorted_indices
        return s if indices is None else s.index_select(1, indices)

    def rows_out(self, y: Float[Tensor, "T B F"]) -> Float[Tensor, "T B F"]:
        """Bring the rows of a sequence back into the order of the call."""
        indices = None if self.packed is None else self.packed.unsorted_indices
        return y if indices is None else y.index_select(1, indices)

    def state_out(self, s: Float[Tensor, "L B F"]) -> Tensor:
        """The inverse of `state_in`."""
        if self.unbatched:
            return s.squeeze(1)
        indices = None if self.packed is None else self.packed.unsorted_indices
        return s if indices is None else s.index_select(1, indices)

    def _mask(self, device: torch.device) -> Bool[Tensor, "T B"]:
        sizes = self.sizes
        assert sizes is not None
        return active_rows(sizes, max(sizes, default=0), device)


def layout_of(x: Tensor | PackedSequence, *, batch_first: bool = False) -> Layout:
    """The layout of one call of nn.RNN, nn.GRU or nn.LSTM from its input."""
    if isinstance(x, PackedSequence):
        return Layout(packed=PackedSequence(x.data.new_empty(0), *x[1:]))
    if x.dim() not in (2, 3):
        raise ValueError(f"x: expected 2-D, 3-D or a PackedSequence, got {x.dim()}-D; pass the layer's own input")
    return Layout(batch_first=batch_first and x.dim() == 3, unbatched=x.dim() == 2)

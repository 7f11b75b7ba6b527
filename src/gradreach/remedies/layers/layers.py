"""torch.nn's recurrent layers, and those of further kinds of cell, with remedies against vanishing and exploding
gradients built in.

Each takes the arguments of its torch.nn namesake, has the same parameters under the same names, and computes the same
where no remedy is asked for, so that a state_dict goes both ways. Without a remedy torch's own kernel runs, or, in
training on a CPU where numba is installed (the extra `fast`), compiled loops that are faster; numba compiles them once
a machine, which takes some seconds. The remedies are keyword arguments, which `gradreach.remedies.layers.options`
describes. A kind of cell that torch has no layer of gets one here, made from the registry of cells.
"""

from __future__ import annotations

from typing import Unpack

import torch
from torch import nn

from gradreach.engine.cells.cell import StockCell
from gradreach.engine.cells.registry import cells
from gradreach.remedies.layers.options import Options
from gradreach.remedies.layers.recurrent_layer import RecurrentLayer


class RNN(RecurrentLayer, nn.RNN):
    """torch.nn.RNN with remedies; `nonlinearity` may also be "sigmoid", the logistic function.

    >>> import torch, gradreach as gr
    >>> layer = gr.nn.RNN(32, 128, orthogonal=True, skip=8, nonlinearity="relu", clip_state_grad=1.0)
    >>> output, h_n = layer(torch.zeros(50, 4, 32))
    >>> output.shape
    torch.Size([50, 4, 128])

    Raises ValueError or TypeError on arguments that do not go together.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **remedies: Unpack[Options],
    ) -> None:
        if nonlinearity not in ("tanh", "relu", "sigmoid"):
            raise ValueError(f"nonlinearity: expected 'tanh', 'relu' or 'sigmoid', got {nonlinearity!r}")
        sizes = (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, 0)
        self._set_up(f"RNN_{nonlinearity.upper()}", sizes, remedies, device, dtype)
        self.nonlinearity = nonlinearity


class GRU(RecurrentLayer, nn.GRU):
    """torch.nn.GRU with remedies.

    >>> import torch, gradreach as gr
    >>> layer = gr.nn.GRU(32, 128, batch_first=True, init="chrono", t_max=100, truncate=20)
    >>> layer(torch.zeros(4, 50, 32))[0].shape
    torch.Size([4, 50, 128])

    Raises ValueError or TypeError on arguments that do not go together.
    """

    cell_name = "GRU"


class LSTM(RecurrentLayer, nn.LSTM):
    """torch.nn.LSTM with remedies.

    >>> import torch, gradreach as gr
    >>> layer = gr.nn.LSTM(8, 16, layer_norm=True, forget_bias=1.0, keep_adjoint=True)
    >>> output, (h_n, c_n) = layer(torch.zeros(50, 4, 8))
    >>> output[-1].sum().backward()
    >>> layer.adjoint.shape  # δ_k of the one layer and direction, at every step
    torch.Size([1, 50, 4, 16])

    Raises ValueError or TypeError on arguments that do not go together.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **remedies: Unpack[Options],
    ) -> None:
        sizes = (input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size)
        self._set_up("LSTM", sizes, remedies, device, dtype)


def _layer_class(cell: StockCell) -> type[RecurrentLayer]:
    """The class of a layer for a kind of cell that torch has no layer of; it stands in `gradreach.remedies.layers`."""
    about = {"__doc__": cell.about, "__module__": "gradreach.remedies.layers", "cell_name": cell.name}
    return type(cell.name, (RecurrentLayer,), about)


OTHERS = {cell.name: _layer_class(cell) for cell in cells().values() if cell.layer is None}
"""The layers of the kinds that torch has none of, by name."""

# what a whole layer is saved with: torch.load(weights_only=True) asks for it
torch.serialization.add_safe_globals([RNN, GRU, LSTM, *OTHERS.values()])

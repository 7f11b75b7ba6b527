"""Initialisers for the recurrent layers of torch.nn and gr.nn, each in place and returning the layer.

>>> import torch, gradreach as gr
>>> lstm = gr.init.chrono_(gr.init.orthogonal_(torch.nn.LSTM(8, 16)), t_max=100)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

Layer = TypeVar("Layer", bound=nn.RNNBase | nn.RNNCellBase)


@torch.no_grad()
def orthogonal_(layer: Layer) -> Layer:
    """Make every gate's block of W_hh a random orthogonal matrix: all singular values are 1 (Saxe et al. 2014)."""
    for w_hh in _recurrent_weights(layer):
        for block in _square_blocks(layer, w_hh):
            nn.init.orthogonal_(block)
    return layer


@torch.no_grad()
def identity_(layer: Layer, scale: float = 1.0) -> Layer:
    """Make every gate's block of W_hh the identity times `scale`, and biases 0 (Le et al. 2015: a ReLU RNN at scale 1).

    The biases of an LSTM or a GRU stay, since they set the gates.
    """
    for w_hh in _recurrent_weights(layer):
        for block in _square_blocks(layer, w_hh):
            nn.init.eye_(block).mul_(scale)
    if not isinstance(layer, nn.LSTM | nn.LSTMCell | nn.GRU | nn.GRUCell):
        for bias in _parameters(layer, "bias"):
            bias.zero_()
    return layer


@torch.no_grad()
def forget_bias_(layer: Layer, value: float = 1.0) -> Layer:
    """Open the gate that keeps the state: the LSTM's forget gate (Jozefowicz et al. 2015), the GRU's z.

    `value` is the sum of both biases; logistic(1) = 0.73 of the state stays at a step.
    """
    for b_ih, b_hh in _bias_pairs(layer):
        _gate(layer, b_ih, 1).fill_(value)
        _gate(layer, b_hh, 1).zero_()
    return layer


@torch.no_grad()
def chrono_(layer: Layer, t_max: int) -> Layer:
    """Spread the time constants of the gate that keeps the state up to `t_max` steps (Tallec, Ollivier 2018, eq. 16).

    b_f = log u, with u uniform in [1, t_max − 1], and b_i = −b_f in an LSTM; a GRU's z takes b_f. Raises ValueError for
    a `t_max` under 3.
    """
    if t_max < 3:
        raise ValueError(f"t_max: expected at least 3 steps, got {t_max}; give the longest dependency to be learned")
    for b_ih, b_hh in _bias_pairs(layer):
        keep = _gate(layer, b_ih, 1).uniform_(1, t_max - 1).log_()
        _gate(layer, b_hh, 1).zero_()
        if isinstance(layer, nn.LSTM | nn.LSTMCell):
            _gate(layer, b_ih, 0).copy_(-keep)
            _gate(layer, b_hh, 0).zero_()
    return layer


def _parameters(layer: nn.Module, start: str) -> Iterator[Tensor]:
    if not isinstance(layer, nn.RNNBase | nn.RNNCellBase):
        raise TypeError(f"layer: expected a recurrent layer or cell of torch.nn, got {type(layer).__name__}")
    return (parameter for name, parameter in layer.named_parameters() if name.startswith(start))


def _recurrent_weights(layer: nn.Module) -> Iterator[Tensor]:
    """Every W_hh; a parametrized one is yielded as a tensor, and assigned once that has been written to."""
    yield from _parameters(layer, "weight_hh")
    if is_parametrized(layer):
        for name in layer.parametrizations:  # type: ignore[union-attr]
            if name.startswith("weight_hh"):
                w_hh = getattr(layer, name).clone()
                yield w_hh
                setattr(layer, name, w_hh)


def _bias_pairs(layer: nn.Module) -> Iterator[tuple[Tensor, Tensor]]:
    if not isinstance(layer, nn.LSTM | nn.LSTMCell | nn.GRU | nn.GRUCell):
        raise TypeError(f"layer: expected an LSTM or a GRU, whose gates have biases, got {type(layer).__name__}")
    if not layer.bias:
        raise ValueError("layer: expected biases, got a layer made with bias=False; make it with bias=True")
    return zip(_parameters(layer, "bias_ih"), _parameters(layer, "bias_hh"), strict=True)


def _gate(layer: nn.Module, bias: Tensor, gate: int) -> Tensor:
    """The part of a bias that belongs to one gate, numbered as i, f, g, o of an LSTM or r, z, n of a GRU."""
    H = int(layer.hidden_size)  # type: ignore[arg-type]
    return bias[gate * H : (gate + 1) * H]


def _square_blocks(layer: nn.Module, w_hh: Tensor) -> tuple[Tensor, ...]:
    H = int(layer.hidden_size)  # type: ignore[arg-type]
    if w_hh.shape[1] != H:
        raise ValueError(f"layer: expected square blocks of W_hh, got ({H}, {w_hh.shape[1]}); leave proj_size at 0")
    blocks: tuple[Tensor, ...] = w_hh.split(H)
    return blocks

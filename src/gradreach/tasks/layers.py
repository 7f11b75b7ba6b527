"""Recurrent layers by name, each a cure for gradients that do not arrive, or the plain one that needs it."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from gradreach.remedies.layers import GRU, LSTM, RNN

Layer = Callable[[int, int, int], nn.RNNBase]
"""(input size, H, T) → a layer with time second. T, the length of the task's sequences, is for who wants to know it."""

LAYERS: dict[str, Layer] = {
    "rnn": lambda f, H, _: RNN(f, H, batch_first=True),
    "relu": lambda f, H, _: RNN(f, H, nonlinearity="relu", batch_first=True),
    "irnn": lambda f, H, _: RNN(f, H, nonlinearity="relu", init="identity", batch_first=True),
    "orthogonal-start": lambda f, H, _: RNN(f, H, init="orthogonal", batch_first=True),
    "orthogonal": lambda f, H, _: RNN(f, H, orthogonal=True, batch_first=True),
    "skip": lambda f, H, T: RNN(f, H, skip=max(2, T // 10), batch_first=True),
    "gru": lambda f, H, _: GRU(f, H, batch_first=True),
    "lstm": lambda f, H, _: LSTM(f, H, batch_first=True),
    "chrono": lambda f, H, T: LSTM(f, H, init="chrono", t_max=max(3, T), batch_first=True),
}
"""`irnn`: ReLU that starts at the identity (Le, Jaitly, Hinton 2015); `skip`: h_t also from h_{t−T/10};
`chrono`: an LSTM whose forget gates start at memories of up to T steps (Tallec, Ollivier 2018)."""

"""Kinds of recurrent modules, as torch names them, and the names of their layers."""

from __future__ import annotations

from gradreach.record.schema import TimeLook

STOCK = ("RNN_TANH", "RNN_RELU", "RNN_SIGMOID", "RNN", "GRU", "LSTM")
"""Kinds whose layers and directions are numbered: weight_hh_l0, weight_hh_l1_reverse."""


def numbered(kind: str) -> bool:
    """Whether a module of that kind numbers its layers; a cell, or a recurrence of one's own, has only one."""
    return kind.upper() in STOCK


def of_layer(seen: TimeLook) -> str:
    """The name of one direction of one recurrent layer: "rnn layer 0", "rnn layer 1 reverse", "cell"."""
    name = seen.module or seen.kind
    if numbered(seen.kind):
        name += f" layer {seen.layer}"
    return f"{name} reverse" if seen.direction == "reverse" else name

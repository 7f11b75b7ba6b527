"""Kinds of recurrent modules, as torch names them."""

from __future__ import annotations

STOCK = ("RNN_TANH", "RNN_RELU", "RNN_SIGMOID", "RNN", "GRU", "LSTM")
"""Kinds whose layers and directions are numbered: weight_hh_l0, weight_hh_l1_reverse."""


def numbered(kind: str) -> bool:
    """Whether a module of that kind numbers its layers; a cell, or a recurrence of one's own, has only one."""
    return kind.upper() in STOCK

"""The compiled loops in place of the plain ones of `recurrence.scan`, which they are tested against."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gradreach.engine.cells import GATES, CellWeights, Kind, Trace
from gradreach.engine.forward import input_side
from gradreach.engine.scan import Remedies, Sweep, Unroll


def fits(weights: CellWeights, x: Float[Tensor, ...], sizes: tuple[int, ...] | None, remedies: Remedies) -> bool:
    """Whether the compiled loops can run this: numba is there, on a CPU, in float32 or float64, rows all as long as
    the sequence, no projection, no norm in the cell, no truncation."""
    plain = weights.w_hr is None and weights.gain_hh is None and sizes is None and remedies.truncate is None
    return plain and x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64) and x.numel() > 0 and _found()


def unroll(
    kind: Kind,
    weights: CellWeights,
    x: Float[Tensor, "T B I"],
    h_0: Float[Tensor, "B H"],
    c_0: Float[Tensor, "B H"] | None,
    *,
    reverse: bool,
    remedies: Remedies,
) -> Unroll:
    """As `scan.unroll`."""
    loops, x = _loops(), x.flip(0) if reverse else x
    pre = input_side(kind, weights, x)
    T, B, H = *x.shape[:2], h_0.shape[-1]
    h, c, inner = _states(h_0, T), None if c_0 is None else _states(c_0, T), None
    options = {"skip": remedies.skip, "threads": torch.get_num_threads()}
    w_hh = _array(weights.w_hh)
    if kind == "GRU":
        inner = pre.new_empty((T, B, H))
        b_hn = None if weights.b_hh is None else _array(weights.b_hh[2 * H :])
        loops.gru_forward(pre.numpy(), w_hh, b_hn, inner.numpy(), h.numpy(), **options)
    elif kind == "LSTM":
        loops.lstm_forward(pre.numpy(), w_hh, h.numpy(), cast(Tensor, c).numpy(), **options)
    else:
        loops.rnn_forward(_activation(kind), pre.numpy(), w_hh, h.numpy(), **options)
    trace = Trace(h, c, pre.unflatten(-1, (GATES[kind], H)), inner)
    return Unroll(kind, weights, x, trace, None, reverse, remedies)


def sweep(
    run: Unroll, error: Float[Tensor, "T B H"], end: Float[Tensor, "B H"] | None, end_c: Float[Tensor, "B H"] | None
) -> Sweep:
    """As `scan.sweep`, with the errors at the end states beside those at the outputs; without δ of c."""
    loops, e = _loops(), error.contiguous()
    gates = run.gates.flatten(2).numpy()
    g, delta = torch.empty_like(run.gates), torch.empty_like(e)
    dh, dc = _end(end, run.h), None if run.c is None else _end(end_c, run.c)
    options = {"skip": run.remedies.skip, "clip": run.remedies.clip, "threads": torch.get_num_threads()}
    w_hh, arrays = _array(run.weights.w_hh), (e.numpy(), dh.numpy())
    entry, filled = None, (g.flatten(2).numpy(), delta.numpy())
    if run.kind == "GRU":
        entry = torch.empty_like(e)
        inner = cast(Tensor, run.trace.inner).numpy()
        into = (filled[0], entry.numpy(), filled[1])
        loops.gru_backward(gates, w_hh, inner, run.h.numpy(), *arrays, *into, **options)
    elif run.kind == "LSTM":
        c, dc_ = cast(Tensor, run.c).numpy(), cast(Tensor, dc).numpy()
        loops.lstm_backward(gates, w_hh, c, *arrays, dc_, *filled, **options)
    else:
        loops.rnn_backward(_activation(run.kind), gates, w_hh, *arrays, *filled, **options)
    return Sweep(delta, None, g, entry, dh, dc)


@cache
def _found() -> bool:
    """Whether numba is there and can be imported; one that does not fit the machine's numpy cannot."""
    try:
        _loops()
    except Exception:
        return False
    return True


def _loops() -> ModuleType:
    from gradreach.engine.compiled import loops

    return loops


def _activation(kind: Kind) -> int:
    loops = _loops()
    known: dict[Kind, int] = {"RNN_TANH": loops.TANH, "RNN_RELU": loops.RELU, "RNN_SIGMOID": loops.LOGISTIC}
    return known[kind]


def _array(weight: Tensor) -> np.ndarray:
    return weight.detach().contiguous().numpy()


def _states(first: Tensor, T: int) -> Tensor:
    states = first.new_empty((T + 1, *first.shape))
    states[0] = first
    return states


def _end(error: Tensor | None, states: Tensor) -> Tensor:
    return torch.zeros_like(states[0]) if error is None else error.clone(memory_format=torch.contiguous_format)

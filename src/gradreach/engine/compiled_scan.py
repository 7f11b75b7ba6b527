"""The compiled loops in place of the plain ones of `gradreach.engine.scan`, against which they are tested."""

from __future__ import annotations

from functools import cache
from types import ModuleType

import torch
from jaxtyping import Float
from torch import Tensor

from gradreach.engine.cells.cell import CellWeights, CompiledLoops, StockCell, Trace, entry_bias
from gradreach.engine.cells.registry import cells
from gradreach.engine.scan import UNREMEDIED, Remedies, Sweep, Unroll
from gradreach.engine.subnormals import flushed


def fits(
    cell: StockCell,
    weights: CellWeights,
    x: Float[Tensor, ...],
    sizes: tuple[int, ...] | None,
    remedies: Remedies,
) -> bool:
    """Whether compiled loops can run this: the kind has some, numba is there, x is on a CPU in float32 or float64, all
    rows are as long as the sequence, and there is no projection, no norm in the cell and no truncation."""
    plain = weights.w_hr is None and weights.gain_hh is None and sizes is None and remedies.truncate is None
    usual = x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64) and x.numel() > 0
    return plain and usual and cell.loops is not None and _found()


def unroll(
    cell: StockCell,
    weights: CellWeights,
    x: Float[Tensor, "T B I"],
    h_0: Float[Tensor, "B H"],
    c_0: Float[Tensor, "B H"] | None,
    *,
    reverse: bool,
    remedies: Remedies,
) -> Unroll:
    """As `scan.unroll`; where the new state is the one gate itself, both lie in the same memory."""
    x = x.flip(0) if reverse else x
    T = x.shape[0]
    h, c = _states(h_0, T), None if c_0 is None else _states(c_0, T)
    pre = h[1:] if _is_its_gate(cell, remedies) else x.new_empty(*x.shape[:2], len(weights.w_ih))
    _product(x, weights.w_ih.t(), entry_bias(cell, weights), pre)
    options = {"skip": remedies.skip, "threads": torch.get_num_threads()}
    inner = _loops_of(cell).forward(weights, pre, h, c, **options)
    trace = Trace(h, c, pre.unflatten(-1, (cell.gates, -1)), inner)
    return Unroll(cell, weights, x, trace, None, reverse, remedies)


def sweep(
    run: Unroll,
    error: Float[Tensor, "T B H"],
    end: Float[Tensor, "B H"] | None,
    end_c: Float[Tensor, "B H"] | None,
    *,
    keep_delta: bool = True,
    keep_gates: bool = True,
) -> Sweep:
    """As `scan.sweep`, with the errors at the end states beside those at the outputs; without δ of c.

    Entries of δ below the smallest normal number are 0. Without `keep_delta`, δ may be that of the first step alone;
    without `keep_gates`, g may take the place of the run's gates.
    """
    e, skip = error.contiguous(), run.remedies.skip
    g = torch.empty_like(run.gates) if keep_gates or _is_its_gate(run.cell, run.remedies) else run.gates
    delta = torch.empty_like(e if keep_delta or skip else e[:1])
    dh, dc = _end(end, run.h), None if run.c is None else _end(end_c, run.c)
    options = {"skip": skip, "clip": run.remedies.clip, "threads": torch.get_num_threads()}
    with flushed():
        entry = _loops_of(run.cell).backward(run.weights, run.trace, e, dh, dc, g, delta, **options)
    return Sweep(delta, None, g, entry, dh, dc)


def at_input(run: Unroll, entering: Float[Tensor, "T B GH"]) -> Float[Tensor, "T B I"]:
    """The adjoint of x from that of W_ih x, in its memory where both are of one size: nothing else needs it then."""
    w_ih = run.weights.w_ih
    if w_ih.shape[1] < _NARROW:
        return entering @ w_ih
    dx = entering if w_ih.shape[0] == w_ih.shape[1] else torch.empty_like(run.x, memory_format=torch.contiguous_format)
    _product(entering, w_ih, None, dx)
    return dx


_NARROW = 32
"""Inputs below which the tiles of the compiled product are mostly padding."""


def _product(a: Tensor, w: Tensor, bias: Tensor | None, out: Tensor) -> None:
    """out = a w + bias over all steps and rows."""
    from gradreach.engine.cells.compiled import product

    left, right = a.detach().contiguous().flatten(0, 1), out.view(-1, out.shape[-1])
    added = None if bias is None else bias.detach().contiguous().numpy()
    product.times(left.numpy(), w.detach().numpy(), added, right.numpy(), threads=torch.get_num_threads())


def _is_its_gate(cell: StockCell, remedies: Remedies) -> bool:
    """Whether the new state is what the one gate comes to, as in a simple RNN without a shortcut."""
    return cell.gates == 1 and remedies.skip == 0


def compile_all() -> str | None:
    """Compile the loops of every kind in float32 and float64, or load them where they are kept; returns the folder.

    None where no folder can be written: they are then compiled anew in every process. Raises ImportError where numba is
    not installed or does not fit this machine.
    """
    kept_in: str | None = _loops().kept_in()
    for cell in cells().values():
        for dtype in (torch.float32, torch.float64) if cell.loops is not None else ():
            w = torch.zeros(cell.gates, 1, dtype=dtype, device="cpu")
            state, x = torch.zeros(1, 1, dtype=dtype, device="cpu"), torch.zeros(2, 1, 1, dtype=dtype, device="cpu")
            weights, c_0 = CellWeights(w, w, w[:, 0], w[:, 0]), state if cell.carries_c else None
            run = unroll(cell, weights, x, state, c_0, reverse=False, remedies=UNREMEDIED)
            sweep(run, x, None, None)
    return kept_in


@cache
def _found() -> bool:
    """Whether numba is there and can be imported; one that does not fit the machine's numpy cannot."""
    try:
        _loops()
    except Exception:
        return False
    return True


def _loops() -> ModuleType:
    from gradreach.engine.cells.compiled import loops

    return loops


def _loops_of(cell: StockCell) -> CompiledLoops:
    if cell.loops is None:
        raise TypeError(f"{cell.name}: expected a kind with compiled loops; ask `fits` first")
    return cell.loops()


def _states(first: Tensor, T: int) -> Tensor:
    states = first.new_empty((T + 1, *first.shape))
    states[0] = first
    return states


def _end(error: Tensor | None, states: Tensor) -> Tensor:
    return torch.zeros_like(states[0]) if error is None else error.clone(memory_format=torch.contiguous_format)

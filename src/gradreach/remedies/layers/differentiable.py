"""The closed-form scan as one node of autograd's graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gradreach.engine import compiled_scan as compiled
from gradreach.engine.adjoint import sweep_of, with_end
from gradreach.engine.cells.cell import CellWeights, Normalisation, StockCell, Trace
from gradreach.engine.scan import UNREMEDIED, Remedies, Unroll, last_state, parameter_gradients, unroll

_WEIGHTS = tuple(field.name for field in fields(CellWeights))


@dataclass(frozen=True, slots=True)
class LayerDirection:
    """One direction of one layer but for its tensors. `keep` takes δ, (T, B, P), after the backward pass."""

    cell: StockCell
    remedies: Remedies
    sizes: tuple[int, ...] | None = None
    reverse: bool = False
    keep: Callable[[Tensor], None] | None = None


def scan(
    direction: LayerDirection,
    x: Float[Tensor, "T B I"],
    h_0: Float[Tensor, "B P"],
    c_0: Float[Tensor, "B H"] | None,
    weights: CellWeights,
) -> tuple[Float[Tensor, "T B P"], Float[Tensor, "B P"], Float[Tensor, "B H"] | None]:
    """The outputs in the data's time order, h_n and c_n; the backward pass is the closed-form sweep."""
    parts = (getattr(weights, name) for name in _WEIGHTS)
    y, h_n, c_n = _Scan.apply(direction, x, h_0, c_0, *parts)  # type: ignore[no-untyped-call]
    return y, h_n, c_n


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, direction: LayerDirection, x: Tensor, h_0: Tensor, c_0: Tensor | None, *parts: Tensor | None
    ) -> Any:
        cell, remedies, reverse = direction.cell, direction.remedies, direction.reverse
        weights, sizes = CellWeights(*parts), direction.sizes  # type: ignore[arg-type]
        ctx.compiled = compiled.fits(cell, weights, x, sizes, remedies)
        with torch.autocast(x.device.type, enabled=False):
            if ctx.compiled:
                run = compiled.unroll(cell, weights, x, h_0, c_0, reverse=reverse, remedies=remedies)
            else:
                run = unroll(cell, weights, x, h_0, c_0, sizes=sizes, reverse=reverse, remedies=remedies)
        trace, normed = run.trace, run.trace.normed
        ctx.direction, ctx.run_sizes = direction, run.sizes
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(
            x,
            h_0,
            c_0,
            *parts,
            trace.h,
            trace.c,
            trace.gates,
            trace.inner,
            *((None, None) if normed is None else (normed.unit, normed.scale)),
        )
        # copies, so that what the script does to them in place leaves the run alone
        y = run.h[1:].flip(0) if reverse else run.h[1:].clone()
        h_n = last_state(run, run.h).clone()
        return y, h_n, None if run.c is None else last_state(run, run.c).clone()

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None, dh_n: Tensor | None, dc_n: Tensor | None) -> Any:
        if torch.is_grad_enabled() and _is_stock(ctx.direction):
            return (None, *_stock_gradients(ctx.direction, ctx.saved_tensors, (dy, dh_n, dc_n)))
        run = _run_of(ctx.direction, ctx.run_sizes, ctx.saved_tensors)
        with torch.no_grad(), torch.autocast(run.x.device.type, enabled=False):
            error = torch.zeros_like(run.h[1:]) if dy is None else run.in_data_order(dy)
            if ctx.compiled:
                keep = {"keep_delta": ctx.direction.keep is not None, "keep_gates": _graph_is_kept()}
                back = compiled.sweep(run, error, dh_n, dc_n, **keep)
            else:
                error_c = None if run.c is None or dc_n is None else with_end(run, torch.zeros_like(run.c[1:]), dc_n)
                back = sweep_of(run, error if dh_n is None else with_end(run, error, dh_n), error_c)
            if ctx.direction.keep is not None:
                ctx.direction.keep(run.in_data_order(back.delta))
            gradients, entering = parameter_gradients(run, back)
            dx = None
            if ctx.needs_input_grad[1]:
                dx = compiled.at_input(run, entering) if ctx.compiled else entering @ run.weights.w_ih
                dx = run.in_data_order(dx)
        grads = (dx, back.dh_0, back.dc_0, *(gradients.get(_GRADIENT[name]) for name in _WEIGHTS))
        if torch.is_grad_enabled():
            grads = _FirstOrder.apply(grads, dy, dh_n, dc_n, *ctx.saved_tensors)  # type: ignore[no-untyped-call]
        return (None, *grads)


def _graph_is_kept() -> bool:
    """Whether this backward pass leaves what was saved to a later one; so it is taken where torch does not say."""
    asked = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", None)
    return asked is None or bool(asked())


_GRADIENT = {
    "w_ih": "weight_ih",
    "w_hh": "weight_hh",
    "b_ih": "bias_ih",
    "b_hh": "bias_hh",
    "w_hr": "weight_hr",
    "gain_ih": "gain_ih",
    "gain_hh": "gain_hh",
}
"""The parameter that each of `CellWeights` is."""


def _run_of(direction: LayerDirection, sizes: tuple[int, ...] | None, saved: tuple[Any, ...]) -> Unroll:
    x, parts, rest = saved[0], saved[3 : 3 + len(_WEIGHTS)], saved[3 + len(_WEIGHTS) :]
    h, c, gates, inner, unit, scale = rest
    trace = Trace(h, c, gates, inner, None if unit is None else Normalisation(unit, scale))
    x = x.flip(0) if direction.reverse else x
    return Unroll(direction.cell, CellWeights(*parts), x, trace, sizes, direction.reverse, direction.remedies)


def _is_stock(direction: LayerDirection) -> bool:
    """Whether torch has a kernel for this direction, and with it second derivatives."""
    has_kernel = direction.cell.kernel is not None
    return has_kernel and direction.remedies == UNREMEDIED and direction.sizes is None


def _stock_gradients(
    direction: LayerDirection, saved: tuple[Any, ...], grads: tuple[Tensor | None, ...]
) -> tuple[Tensor | None, ...]:
    """The gradients by torch's own kernel, of which autograd keeps the graph."""
    x, h_0, c_0, *parts = saved[: 3 + len(_WEIGHTS)]
    weights = [w for w in parts if w is not None]
    hx = h_0[None] if c_0 is None else (h_0[None], c_0[None])
    data = x.flip(0) if direction.reverse else x
    kernel: Any = direction.cell.kernel
    y, *ends = kernel(data, hx, weights, len(weights) >= 4, 1, 0.0, True, False, False)
    made = [y.flip(0) if direction.reverse else y, *(end[0] for end in ends)]
    given = [(out, grad) for out, grad in zip(made, grads, strict=False) if grad is not None]
    wanted = [t for t in (x, h_0, c_0, *parts) if t is not None and t.requires_grad]
    outs, errors = zip(*given, strict=True)
    found = iter(torch.autograd.grad(outs, wanted, errors, create_graph=True, allow_unused=True))
    return tuple(next(found) if t is not None and t.requires_grad else None for t in (x, h_0, c_0, *parts))


class _FirstOrder(torch.autograd.Function):
    """Makes gradients depend on what they were made from, and says that they cannot be differentiated again."""

    @staticmethod
    def forward(ctx: Any, grads: tuple[Tensor | None, ...], *_: Tensor | None) -> Any:
        ctx.set_materialize_grads(False)
        return grads

    @staticmethod
    def backward(_ctx: Any, *_: Tensor | None) -> Any:
        raise RuntimeError(
            "gradreach.nn: expected first derivatives only, got a second backward pass through a layer with remedies "
            "(create_graph=True); the closed form has none: use the torch.nn layer here, its state_dict fits"
        )

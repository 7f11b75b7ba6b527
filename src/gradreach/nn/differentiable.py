"""The closed-form scan as one node of autograd's graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gradreach.recurrence.adjoint import layer_adjoint, with_end
from gradreach.recurrence.cells import CellWeights, Kind, Normed, Trace
from gradreach.recurrence.scan import Remedies, Unroll, last_state, unroll

_WEIGHTS = tuple(field.name for field in fields(CellWeights))


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of one layer but for its tensors. `keep` takes δ, (T, B, P), after the backward pass."""

    kind: Kind
    remedies: Remedies
    sizes: tuple[int, ...] | None = None
    reverse: bool = False
    keep: Callable[[Tensor], None] | None = None


def scan(
    direction: Direction,
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
        ctx: Any, direction: Direction, x: Tensor, h_0: Tensor, c_0: Tensor | None, *parts: Tensor | None
    ) -> Any:
        weights = CellWeights(*parts)  # type: ignore[arg-type]
        with torch.autocast(x.device.type, enabled=False):
            run = unroll(
                direction.kind,
                weights,
                x,
                h_0,
                c_0,
                sizes=direction.sizes,
                reverse=direction.reverse,
                remedies=direction.remedies,
            )
        trace, normed = run.trace, run.trace.normed
        ctx.direction, ctx.run_sizes = direction, run.sizes
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(
            run.x,
            *parts,
            trace.h,
            trace.c,
            trace.gates,
            trace.inner,
            *((None, None) if normed is None else (normed.unit, normed.scale)),
        )
        # copies, so that what the script does to them in place leaves the run alone
        y = run.in_data_order(run.h[1:]).clone()
        h_n = last_state(run, run.h).clone()
        return y, h_n, None if run.c is None else last_state(run, run.c).clone()

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None, dh_n: Tensor | None, dc_n: Tensor | None) -> Any:
        run = _run_of(ctx.direction, ctx.run_sizes, ctx.saved_tensors)
        with torch.no_grad(), torch.autocast(run.x.device.type, enabled=False):
            error = torch.zeros_like(run.h[1:]) if dy is None else run.in_data_order(dy)
            error = error if dh_n is None else with_end(run, error, dh_n)
            error_c = None if run.c is None or dc_n is None else with_end(run, torch.zeros_like(run.c[1:]), dc_n)
            found, entering = layer_adjoint(run, error, error_c, "")
            if ctx.direction.keep is not None:
                ctx.direction.keep(found.delta)
            dx = run.in_data_order(entering @ run.weights.w_ih) if ctx.needs_input_grad[1] else None
        grads = (dx, found.grad_h_0, found.grad_c_0, *(found.gradients.get(_GRADIENT[name]) for name in _WEIGHTS))
        if torch.is_grad_enabled():
            grads = _FirstOrder.apply(grads, dy, dh_n, dc_n, *ctx.saved_tensors)  # type: ignore[no-untyped-call]
        return (None, *grads)


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


def _run_of(direction: Direction, sizes: tuple[int, ...] | None, saved: tuple[Any, ...]) -> Unroll:
    x, parts, rest = saved[0], saved[1 : 1 + len(_WEIGHTS)], saved[1 + len(_WEIGHTS) :]
    h, c, gates, inner, unit, scale = rest
    trace = Trace(h, c, gates, inner, None if unit is None else Normed(unit, scale))
    return Unroll(direction.kind, CellWeights(*parts), x, trace, sizes, direction.reverse, direction.remedies)


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

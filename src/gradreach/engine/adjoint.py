"""The exact gradient at every step: the adjoint is swept back through a replay from the errors at its outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from gradreach.engine.cells.cell import pull
from gradreach.engine.lags import truncated_sweep
from gradreach.engine.replay import Replay
from gradreach.engine.scan import Sweep, Unroll, parameter_gradients, sweep
from gradreach.engine.subnormals import flushed


@dataclass(frozen=True, slots=True)
class LayerAdjoint:
    """One direction of one layer; every sequence is in the data's time order.

    `delta` is δ_k, the total ∂L/∂h_k; `delta_c` the total ∂L/∂c_k along the carried path (see `pull`) where the
    kind has one. `local_error` is e_k: what arrives from above (the loss, or the layer above through dropout), with
    h_n's error at each row's own last step; `local_error_c` is c_n's error likewise, None where there is none.
    `grad_h_0`, `grad_c_0` are the gradients of the initial state, rows in the engine's order. `gradients` goes by
    torch's parameter names (weight_ih_l0_reverse, …).
    """

    delta: Float[Tensor, "T B P"]
    delta_c: Float[Tensor, "T B H"] | None
    local_error: Float[Tensor, "T B P"]
    local_error_c: Float[Tensor, "T B H"] | None
    grad_h_0: Float[Tensor, "B P"]
    grad_c_0: Float[Tensor, "B H"] | None
    gradients: dict[str, Tensor]


@torch.no_grad()
def backward(
    replay: Replay,
    grad_output: Tensor | PackedSequence | None,
    grad_h_n: Tensor | None = None,
    grad_c_n: Tensor | None = None,
) -> list[LayerAdjoint]:
    """Sweep the errors that reached output, h_n and c_n back through every layer and direction.

    The errors are in the module's own layout (a packed output's as PackedSequence or its `data`); None is no error.
    Returns one LayerAdjoint for each of `replay.unrolls`, in their order.
    """
    layout, width = replay.layout, replay.unrolls[-1].h.shape[-1]
    like = replay.unrolls[-1].h
    at_end = None if grad_h_n is None else layout.state_in(grad_h_n.detach()).to(like)
    at_end_c = None if grad_c_n is None else layout.state_in(grad_c_n.detach()).to(like)

    def errors(n: int, above: Tensor) -> tuple[Tensor, Tensor | None]:
        run, d = replay.unrolls[n], n % replay.directions
        error = run.in_data_order(above[..., d * width : (d + 1) * width])
        if at_end is not None:
            error = with_end(run, error, at_end[n])
        if run.c is None or at_end_c is None:
            return error, None
        return error, with_end(run, torch.zeros_like(run.c[1:]), at_end_c[n])

    return _down(replay, None if grad_output is None else layout.sequence_in(grad_output), errors)


@torch.no_grad()
def backward_calls(
    replay: Replay,
    grad_states: Float[Tensor, "T L B P"],
    grad_states_c: Float[Tensor, "T L B H"] | None = None,
    grad_outputs: Float[Tensor, "T B P"] | None = None,
) -> list[LayerAdjoint]:
    """`backward` for a replay stitched from one call a step, from what autograd saw at the states each call returned.

    `grad_states[t]`, `grad_states_c[t]` are the whole gradients of the h and c that call t returned, what the next
    call sends back included; `grad_outputs[t]` what reached the call by a separate output (a stock layer has one, a
    cell none). With δ_t = above_t + grad_state_t, e_t = δ_t − (what δ_{t+1} carries back); a difference under 1e-5 of
    δ_t (h and c together; 1e-12 in float64) is rounding, and taken for 0.
    """
    is_cell = replay.names == ("",)

    def errors(n: int, above: Tensor) -> tuple[Tensor, Tensor | None]:
        run = replay.unrolls[n]
        dh = above + grad_states[:, n].to(above)
        size, dc = _norm(dh), None
        if run.c is not None:
            dc = torch.zeros_like(run.c[1:]) if grad_states_c is None else grad_states_c[:, n].to(above)
            size = torch.hypot(size, _norm(dc))
            if is_cell and grad_states_c is not None and dh.device.type == "cpu":
                dc = _without_same_step(run, dh, dc)
        _, carried, carried_c = pull(run.cell, run.weights, run.slopes, dh, dc)
        error_c = None if dc is None or carried_c is None else _difference(dc, carried_c, size)
        return _difference(dh, carried, size), error_c

    return _down(replay, grad_outputs, errors)


def gradient_error(adjoints: Sequence[LayerAdjoint], gradients: Mapping[str, Tensor]) -> float | None:
    """‖ours − theirs‖ / ‖theirs‖ over all parameters that have a gradient in `gradients`.

    It is None where none of them has one, or where all of these are 0.
    """
    return error_of({name: grad for each in adjoints for name, grad in each.gradients.items()}, gradients)


def error_of(ours: Mapping[str, Tensor], gradients: Mapping[str, Tensor]) -> float | None:
    """`gradient_error` of gradients by their names."""
    ours = {name: grad for name, grad in ours.items() if name in gradients}
    if not ours:
        return None
    theirs = {name: gradients[name].detach().to(grad) for name, grad in ours.items()}
    off = torch.stack([(grad - theirs[name]).norm() for name, grad in ours.items()]).norm()
    size = torch.stack([grad.norm() for grad in theirs.values()]).norm()
    return float(off / size) if size > 0 else None


def sweep_of(run: Unroll, error: Float[Tensor, "T B P"], error_c: Float[Tensor, "T B H"] | None = None) -> Sweep:
    """The whole sweep, or the one truncated at k2 where the run says so and is longer.

    Entries of δ below the smallest normal number are 0.
    """
    k2 = run.remedies.truncate
    with flushed():
        if k2 is None or k2 >= run.x.shape[0]:
            return sweep(run, error, error_c)
        return truncated_sweep(run, error, error_c, k2)


Errors = Callable[[int, Tensor], tuple[Tensor, Tensor | None]]


def _down(replay: Replay, above: Tensor | None, errors: Errors) -> list[LayerAdjoint]:
    """Go down layer by layer: what comes from above gives the local errors, their sweep the error for the one below."""
    first = replay.unrolls[-1]
    if above is None:
        above = first.h.new_zeros((*first.x.shape[:2], first.h.shape[-1] * replay.directions))
    above = above.detach().to(first.h)
    found: dict[int, LayerAdjoint] = {}
    with torch.autocast(first.h.device.type, enabled=False):
        for layer in reversed(range(len(replay.unrolls) // replay.directions)):
            below = None
            for n in range(layer * replay.directions, (layer + 1) * replay.directions):
                run = replay.unrolls[n]
                found[n], entering = _adjoint(run, *errors(n, above), replay.names[n])
                if layer > 0:
                    grad_x = run.in_data_order(entering @ run.weights.w_ih)
                    below = grad_x if below is None else below + grad_x
            noise = replay.noise[layer - 1] if layer > 0 else None
            above = above if below is None else below if noise is None else below * noise
    return [found[n] for n in sorted(found)]


def _adjoint(
    run: Unroll, error: Float[Tensor, "T B P"], error_c: Float[Tensor, "T B H"] | None, name: str
) -> tuple[LayerAdjoint, Float[Tensor, "T B GH"]]:
    """The adjoint of one direction from its errors, and that of W_ih x_t; these two are in the run's order."""
    back = sweep_of(run, error, error_c)
    gradients, entering = parameter_gradients(run, back)
    found = LayerAdjoint(
        delta=run.in_data_order(back.delta),
        delta_c=None if back.delta_c is None else run.in_data_order(back.delta_c),
        local_error=run.in_data_order(error),
        local_error_c=None if error_c is None else run.in_data_order(error_c),
        grad_h_0=back.dh_0,
        grad_c_0=back.dc_0,
        gradients={part + name: gradient for part, gradient in gradients.items()},
    )
    return found, entering


def with_end(run: Unroll, error: Tensor, end: Tensor) -> Tensor:
    """`error` with `end` added at each row's own last step, in the recurrence's order."""
    T, B, _ = error.shape
    rows = torch.arange(B, device=error.device)
    last = torch.full_like(rows, T - 1)
    if run.sizes is not None and not run.reverse:
        last = cast(Tensor, run.active).sum(0) - 1
    return error.index_put((last, rows), end, accumulate=True) if T else error


def _without_same_step(run: Unroll, dh: Tensor, dc: Tensor) -> Tensor:
    """nn.LSTMCell on the CPU computes h from the very c it returns, so autograd's gradient of c holds h's share too."""
    dm = dh if run.weights.w_hr is None else dh @ run.weights.w_hr
    return torch.addcmul(dc, dm, cast(Tensor, run.slopes.cell), value=-1.0)


def _difference(whole: Tensor, carried: Tensor, size: Tensor) -> Tensor:
    """whole_t − carried_{t+1}, set to 0 where it is only the rounding of δ_t; nothing is carried into the last step."""
    error = whole.clone()
    error[:-1] -= carried[1:]
    tolerance = 1e-12 if whole.dtype == torch.float64 else 1e-5
    return error.masked_fill_(_norm(error) <= tolerance * size, 0.0)


def _norm(each: Tensor) -> Tensor:
    """The norm in float64, in which the squares of small gradients do not underflow."""
    norm: Tensor = torch.linalg.vector_norm(each, dim=-1, keepdim=True, dtype=torch.float64)
    return norm

"""Sequences of stock recurrent layers whose adjoint nears the smallest normal number on its way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from gradreach.engine.adjoint import LayerAdjoint
from gradreach.engine.cells.registry import cell_of
from gradreach.engine.replay import Replay
from gradreach.engine.scan import sweep
from gradreach.engine.subnormals import are_subnormal
from gradreach.record.seen.recurrence import TimeLook
from gradreach.remedies.layers.recurrent_layer import RecurrentLayer
from gradreach.watch.layer_work import Faded, Work, row_stride
from gradreach.watch.lenses.recurrent_calls import RecurrentCall

NEAR = 0.8
"""Part of the exponent of the smallest normal number below which the mean norm of δ has single entries beyond it."""


def faded(
    calls: Sequence[RecurrentCall],
    played: Replay,
    adjoints: Sequence[LayerAdjoint],
    looks: Sequence[TimeLook],
    scale: float,
) -> Iterator[Faded]:
    """The sequence of these calls where its adjoint nears the smallest normal number, on a CPU; else nothing.

    The layers of gr.nn meet no subnormal number.
    """
    output, delta = calls[0].output, adjoints[0].delta
    as_torch = torch.finfo(output.dtype).tiny == torch.finfo(delta.dtype).tiny
    may_have = as_torch and output.device.type == "cpu" and not isinstance(calls[0].module, RecurrentLayer)
    if may_have and any(_is_near(look, delta.dtype) for look in looks):
        share = partial(subnormal_share, played, adjoints, looks, scale)
        yield Faded(looks[0].module, looks[0].kind, share, partial(_work, calls))


@torch.no_grad()
def subnormal_share(played: Replay, adjoints: Sequence[LayerAdjoint], looks: Sequence[TimeLook], scale: float) -> float:
    """The share of subnormal entries among those of δ in all layers and directions, as torch holds them: times the loss
    scale, and with no entry taken for 0."""
    found = 0
    with torch.autocast("cpu", enabled=False):
        for run, adjoint, look in zip(played.unrolls, adjoints, looks, strict=True):
            if _is_near(look, adjoint.delta.dtype):
                back = sweep(run, *_errors(run.in_data_order, adjoint, scale))
                found += int(are_subnormal(back.delta).sum())
    return found / max(sum(adjoint.delta.numel() for adjoint in adjoints), 1)


def _is_near(look: TimeLook, dtype: torch.dtype) -> bool:
    limit = torch.finfo(dtype).tiny ** NEAR
    return any(0.0 < size < limit for size in look.adjoint)


def _errors(ordered: Callable[[Tensor], Tensor], adjoint: LayerAdjoint, scale: float) -> tuple[Tensor, Tensor | None]:
    """The local errors of h and of c, in the order of the recurrence."""
    error, error_c = adjoint.local_error, adjoint.local_error_c
    return ordered(error) * scale, None if error_c is None else ordered(error_c) * scale


def _work(calls: Sequence[RecurrentCall]) -> Work | None:
    return recurrent_work(calls[0]) if len(calls) == 1 else None


def recurrent_work(call: RecurrentCall) -> Work | None:
    """The forward and backward pass of one call of torch's own layer, from the input it was given and the gradients
    that reached its outputs, by weights without the script's graph and without dropout, which would draw numbers.

    None where the call is of another kind, packed or without rows, or computed in another dtype than the weights have.
    """
    layer, x = call.module, call.x
    kernel = cell_of(layer).kernel if isinstance(layer, nn.RNNBase) else None
    if kernel is None or not isinstance(layer, nn.RNNBase) or not isinstance(x, Tensor) or x.dim() != 3:
        return None
    weights = [w.detach().requires_grad_(w.requires_grad) for some in layer.all_weights for w in some]
    learned = [w for w in weights if w.requires_grad]
    if not learned or any(each.dtype != w.dtype for w in weights for each in (x, call.output)):
        return None
    rows = 0 if layer.batch_first else 1
    stride = row_stride(x.shape[rows], 3 * x.shape[1 - rows] * x.shape[rows] * sum(w.numel() for w in weights))

    def some(tensor: Tensor, axis: int = 1) -> Tensor:
        return tensor.detach()[(slice(None),) * axis + (slice(None, None, stride),)].contiguous()

    given = call.state_in or tuple(map(torch.zeros_like, call.state_out))
    states = tuple(map(some, given))
    errors = {"output": rows, "h": 1, "c": 1}
    caught = {name: some(call.gradients[name], axis) for name, axis in errors.items() if name in call.gradients}
    part = some(x, rows)

    def run() -> tuple[Tensor | None, ...]:
        hx = states if len(states) > 1 else states[0]
        options = (layer.bias, layer.num_layers, 0.0, layer.training, layer.bidirectional, layer.batch_first)
        with torch.enable_grad(), torch.autocast("cpu", enabled=False):
            outputs = dict(zip(errors, kernel(part, hx, weights, *options), strict=False))
        return torch.autograd.grad(
            [outputs[name] for name in caught], learned, list(caught.values()), allow_unused=True
        )

    return Work(run, x.shape[rows] / part.shape[rows], True) if caught and part.shape[rows] else None

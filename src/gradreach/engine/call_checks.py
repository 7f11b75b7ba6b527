"""Whether a call of a recurrent layer can be run, said in the caller's own words."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gradreach.engine.cells.registry import cell_of

State = Tensor | tuple[Tensor, Tensor] | None


def check_call(
    module: nn.RNNBase, x: Tensor | PackedSequence, state: State = None, names: tuple[str, str] = ("x", "state")
) -> None:
    """Raise TypeError or ValueError where `module(x, state)` cannot run: the argument, what was expected, what came.

    `names` are what the caller calls the two. A batch of no rows passes, as in torch.nn; a sequence of no steps does
    not.
    """
    its = names[0]
    if not isinstance(x, Tensor | PackedSequence):
        raise TypeError(f"{its}: expected a tensor or a PackedSequence, got {type(x).__name__}; make it a tensor first")
    packed = isinstance(x, PackedSequence)
    data, weight = x.data, cast(Tensor, module.weight_ih_l0)
    if not packed and data.dim() not in (2, 3):
        shape = "(B, T, I)" if module.batch_first else "(T, B, I)"
        raise ValueError(f"{its}: expected {shape} or, unbatched, (T, I), got {tuple(data.shape)}; reshape it")
    if data.shape[-1] != module.input_size:
        raise ValueError(
            f"{its}: expected {module.input_size} features in its last dimension, got {tuple(data.shape)}; "
            "check input_size, and batch_first"
        )
    unbatched = not packed and data.dim() == 2
    steps = data.shape[1 if module.batch_first and not unbatched and not packed else 0]
    if steps == 0:
        raise ValueError(
            f"{its}: expected at least one step, got T = 0 in {tuple(data.shape)}; leave empty sequences out"
        )
    _check_like(its, data, weight)
    rows = None if unbatched else data.shape[0 if module.batch_first else 1]
    if isinstance(x, PackedSequence):
        rows = int(x.batch_sizes[0])
    _check_state(module, state, rows, weight, names[1])


def check_weights(module: nn.Module) -> None:
    """Raise ValueError where a parameter holds a value that is not finite, naming the first."""
    for name, parameter in module.named_parameters():
        bad = int((~parameter.isfinite()).sum())
        if bad:
            raise ValueError(
                f"module: expected finite weights, got {bad} of {parameter.numel()} values of {name} that are not; "
                "go back to weights from before the first non-finite step"
            )


def check_finite(name: str, given: Tensor) -> None:
    """Raise ValueError where a tensor given holds NaN or inf."""
    bad = int((~given.isfinite()).sum())
    if bad:
        raise ValueError(f"{name}: expected finite values, got {bad} of {given.numel()} that are not; leave them out")


def number_of(layer: int, reverse: bool, *, layers: int, directions: int) -> int:
    """The place of one layer and direction in the order of h_n; `layer` counts from the bottom, −1 is the top."""
    if not -layers <= layer < layers:
        raise ValueError(
            f"layer: expected {-layers} … {layers - 1} of {layers} layers, got {layer}; choose one of these"
        )
    if reverse and directions == 1:
        raise ValueError("reverse: expected False, got True for a layer of one direction; leave it out")
    return (layer % layers) * directions + reverse


def _check_state(module: nn.RNNBase, hx: State, rows: int | None, weight: Tensor, its: str) -> None:
    if hx is None:
        return
    pair = cell_of(module).carries_c
    if isinstance(hx, tuple) != pair or (pair and len(hx) != 2):
        wanted, came = ("a tuple (h_0, c_0)", "h_0 alone") if pair else ("h_0 alone", "a tuple")
        raise TypeError(
            f"{its}: expected {wanted} for {module.mode}, got {came}; pass the state the layer itself returns"
        )
    count = module.num_layers * (2 if module.bidirectional else 1)
    sizes = (module.proj_size or module.hidden_size, module.hidden_size)
    for name, state, size in zip(("h_0", "c_0"), hx if isinstance(hx, tuple) else (hx,), sizes, strict=False):
        expected = (count, size) if rows is None else (count, rows, size)
        if tuple(state.shape) != expected:
            raise ValueError(
                f"{its}: expected {name} of shape {expected} (layers · directions, rows, units), got "
                f"{tuple(state.shape)}; "
                "one state for every layer and direction"
            )
        _check_like(f"{its} ({name})", state, weight)


def _check_like(name: str, given: Tensor, weight: Tensor) -> None:
    if given.device != weight.device:
        raise ValueError(
            f"{name}: expected it on {weight.device} with the weights, got {given.device}; move one of them"
        )
    autocast = torch.is_autocast_enabled(weight.device.type)
    if given.dtype != weight.dtype and not autocast:
        raise ValueError(
            f"{name}: expected dtype {weight.dtype} as the weights have, got {given.dtype}; "
            f"use {name.split(' ')[0]}.to({weight.dtype}), or convert the layer"
        )

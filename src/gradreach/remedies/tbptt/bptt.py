"""Exact backpropagation through time under a memory limit: segments run again when the gradient comes back to them."""

from __future__ import annotations

import math
import re
import weakref
from bisect import bisect_left
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.random import fork_rng
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.checkpoint import checkpoint

from gradreach.remedies.arguments import integer
from gradreach.remedies.tbptt.sequence import (
    BuffersKept,
    Recurrence,
    Stretch,
    carries,
    detached,
    join,
    last_state,
    module_of,
    parameters_in,
)

_UNITS = {"": 1, **{power + i: base**n for i, base in (("", 1000), ("i", 1024)) for n, power in enumerate("kmgt", 1)}}
_MEASURED = 2, 4, 8, 16, 32, 64
"""Steps of the segments that are measured; from 2 on, where gradients of weights begin to be added up."""
_BEYOND = 1.1
"""By how much more than the last measured slope the peak is taken to grow beyond the last measured length."""


def bptt(
    x: Any, *, step: Any, state: Any = None, memory: int | str | None = None, dim: int | None = None
) -> tuple[Any, Any]:
    """Run `step` over all of x for one exact backward pass through time, by checkpointing (Chen et al. 2016).

    Only the states between segments are kept, and each segment but the last is run once more when the gradient comes
    back to it: gradients are those of full BPTT, through x and `state` too, at most one forward pass dearer. Segments
    have about √T steps; with `memory`, bytes or a text like "512MB" or "2GiB", the most that fit, all T where they do.
    It is chosen so that what the call and its backward pass hold beyond x and the parameters, outputs and gradients
    included, should stay under `memory`: an estimate from short segments, which a short T may exceed by a tenth or so.
    What a kernel allocates for itself and autograd's own nodes, a few kB a step where torch unrolls a layer on a CPU,
    are not seen.

    `x`, `step`, `state`, `dim` as in `tbptt`, x and state with a graph or without; of a `window.carry` the last state
    is taken, at which the gradient stops. Returns (output, state) as `step` would for
    the whole. Dropout is drawn segment by segment, the same when run again; buffers such as running statistics change
    once. Raises ValueError, with the least figure possible, where no segment length stays under `memory`.

    >>> import torch, gradreach as gr
    >>> layer, x = torch.nn.LSTM(3, 8), torch.randn(400, 4, 3)
    >>> output, (h_n, c_n) = gr.bptt(x, step=layer)
    >>> output.square().mean().backward()
    """
    limit = None if memory is None else _bytes(memory)
    recurrence = Recurrence.of(step, x, dim)
    sequence, state = Stretch.of(x, recurrence.dim), last_state(state)
    T, module = sequence.steps, module_of(step)
    if not torch.is_grad_enabled():
        return recurrence.run(sequence, state)
    length = math.isqrt(T - 1) + 1
    if limit is not None:
        length = _longest(_footprint(recurrence, sequence, state, module, limit), T, limit)

    def run(x: Any, state: Any) -> tuple[Any, Any]:  # tensors as arguments: checkpoint looks there for their device
        return recurrence.run(Stretch.of(x, recurrence.dim), state)

    def contexts() -> tuple[nullcontext[None], BuffersKept]:
        return nullcontext(), BuffersKept(module)

    outputs = []
    for start in range(0, T, length):
        part = sequence.part(start, min(start + length, T))
        if start + length < T:
            output, state = checkpoint(run, part.x, state, use_reentrant=False, context_fn=contexts)
        else:
            output, state = run(part.x, state)
        outputs.append(output)
    return join(outputs, recurrence.dim), state


@dataclass(frozen=True, slots=True)
class _Footprint:
    """Bytes: at the peak of a pass over short segments, of a step's output, of a state, of all weights' gradients."""

    peaks: tuple[tuple[int, int], ...]
    output: int
    state: int
    gradients: int

    def peak(self, length: int, T: int) -> float:
        """With segments of this many steps, by straight lines through the measured peaks."""
        at = min(max(bisect_left(self.peaks, (length, 0)), 1), len(self.peaks) - 1)
        (shorter, less), (longer, more) = self.peaks[at - 1], self.peaks[at]
        slope = (more - less) / max(longer - shorter, 1)
        segment = more + slope * (length - longer) * (_BEYOND if length > longer else 1.0)
        if length == T:
            return segment
        # beside a segment that is run again: its first outputs, all others and their gradients, the states kept, and
        # the weights' gradients so far
        outputs = self.output * (2 * (T - length) + length)
        return segment + outputs + self.state * (math.ceil(T / length) - 1) + self.gradients

    def least(self, T: int) -> int:
        return math.ceil(min(self.peak(length, T) for length in _lengths(T)))


def _longest(footprint: _Footprint, T: int, limit: int) -> int:
    """The longest segment that fits: the last one is not run again, so that a longer one means less work."""
    fitting = [length for length in _lengths(T) if footprint.peak(length, T) <= limit]
    if fitting:
        return fitting[-1]
    least = footprint.least(T)
    raise ValueError(
        f"memory: expected at least {_readable(least)} ({least} bytes) for exact BPTT over {T} steps, got "
        f"{_readable(limit)}; raise it, or use tbptt"
    )


def _lengths(T: int) -> list[int]:
    """The shortest length for every number of segments."""
    return sorted({math.ceil(T / segments) for segments in range(1, T + 1)})


def _footprint(recurrence: Recurrence, sequence: Stretch, state: Any, module: Any, limit: int) -> _Footprint:
    """From passes over ever longer segments, as long as these stay under the limit, or the least that can be done."""
    device, T = tree_leaves(sequence.x)[0].device, sequence.steps
    devices, kind = ([], {}) if device.type == "cpu" else ([device], {"device_type": device.type})
    found: _Footprint | None = None
    with fork_rng(devices, **kind), BuffersKept(module):
        with torch.no_grad():
            output, state = recurrence.run(sequence.part(0, 1), state)
        for length in sorted({min(length, T) for length in _MEASURED}):
            if found is not None and len(found.peaks) > 1:
                allowed = max(limit, found.least(T))
                if _BEYOND * found.peak(length, length) > allowed:
                    break
            peak, gradients = _peak(recurrence, sequence.part(0, length), state)
            peaks = ((length, peak),) if found is None else (*found.peaks, (length, peak))
            found = _Footprint(peaks, _size(output), _size(state), gradients)
    assert found is not None
    return found


def _peak(recurrence: Recurrence, part: Stretch, state: Any) -> tuple[int, int]:
    """Bytes at the peak of a forward and backward pass, and of the gradients that it gives."""
    part = replace(part, x=tree_map(lambda leaf: leaf.detach().requires_grad_(leaf.requires_grad), part.x))
    state = tree_map(lambda leaf: leaf.requires_grad_() if carries(leaf) else leaf, detached(state))
    with _Live() as live:
        output, after = recurrence.run(part, state)
        roots = [leaf for leaf in tree_leaves((output, after)) if isinstance(leaf, Tensor) and leaf.requires_grad]
        leaves = parameters_in(roots)
        ones = [torch.ones_like(root) for root in roots]
        gradients = torch.autograd.grad(roots, leaves, ones, allow_unused=True) if roots else ()
    return live.peak, _size(gradients)


def _size(tree: Any) -> int:
    return sum(leaf.nbytes for leaf in tree_leaves(tree) if isinstance(leaf, Tensor))


def _bytes(memory: Any) -> int:
    """Of a number of bytes, or of a text such as "512MB" (10⁶) or "2GiB" (2³⁰)."""
    what = 'a number of bytes over 0, or a text such as "512MB" or "2GiB"'
    if isinstance(memory, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(|[kmgt]i?)B?\s*", memory, re.IGNORECASE)
        size = 0 if found is None else int(float(found[1]) * _UNITS[found[2].lower()])
    else:
        size = integer("memory", memory, what)
    if size < 1:
        raise ValueError(f"memory: expected {what}, got {memory!r}")
    return size


def _readable(size: int) -> str:
    power = min(int(math.log10(size)) // 3, 4)
    return f"{size / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"


class _Live(TorchDispatchMode):
    """Counts the bytes of tensors that are made while it is on and not let go, on any device."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for leaf in tree_leaves((args, kwargs)):
            if isinstance(leaf, Tensor):
                self._meet(leaf, made=False)
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._meet(leaf, made=True)
        return result

    def _meet(self, tensor: Tensor, *, made: bool) -> None:
        storage = tensor.untyped_storage()
        key = id(storage)
        if key in self._known:
            return
        size = storage.nbytes() if made else 0
        self._known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._let_go, key, size)

    def _let_go(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size

"""How many bytes passes over segments of a sequence take, and the longest segment that stays under a limit."""

from __future__ import annotations

import math
import re
import weakref
from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from gradreach.remedies.arguments import integer
from gradreach.remedies.tbptt.recurrence import Recurrence
from gradreach.remedies.tbptt.segment import Segment
from gradreach.remedies.tbptt.trees import carries, detached, parameters_in, without_a_trace

_UNITS = {"": 1, **{power + i: base**n for i, base in (("", 1000), ("i", 1024)) for n, power in enumerate("kmgt", 1)}}
_MEASURED = 2, 4, 8, 16, 32, 64
"""Steps of the segments that are measured; from 2 on, where gradients of weights begin to be added up."""
_BEYOND = 1.1
"""By how much more than the last measured slope the peak is taken to grow beyond the last measured length."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes at the peak of passes over short segments, as (steps, bytes), of a step's output, of a state, and of all
    weights' gradients."""

    peaks: tuple[tuple[int, int], ...]
    output: int
    state: int
    gradients: int

    def peak(self, length: int, T: int) -> float:
        """The peak with segments of this many steps, by straight lines through the measured peaks."""
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
        """The lowest peak that any segment length has."""
        return math.ceil(min(self.peak(length, T) for length in _lengths(T)))


def longest_segment(footprint: Footprint, T: int, limit: int) -> int:
    """The longest segment that fits: the last one is not run again, so that a longer one means less work.

    Raises ValueError, with the least figure possible, where none fits.
    """
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


def footprint(recurrence: Recurrence, sequence: Segment, state: Any, step: Any, limit: int) -> Footprint:
    """Measure passes over ever longer segments while these stay under the limit, or the least that can be done."""
    T, found = sequence.steps, None
    with without_a_trace(sequence.x, step):
        with torch.no_grad():
            output, state = recurrence.run(sequence.part(0, 1), state)
        for length in sorted({min(length, T) for length in _MEASURED}):
            if found is not None and len(found.peaks) > 1:
                allowed = max(limit, found.least(T))
                if _BEYOND * found.peak(length, length) > allowed:
                    break
            peak, gradients = _peak(recurrence, sequence.part(0, length), state)
            peaks = ((length, peak),) if found is None else (*found.peaks, (length, peak))
            found = Footprint(peaks, _size(output), _size(state), gradients)
    assert found is not None
    return found


def _peak(recurrence: Recurrence, part: Segment, state: Any) -> tuple[int, int]:
    """Bytes at the peak of a forward and backward pass, and of the gradients that it gives."""
    part = replace(part, x=tree_map(lambda leaf: leaf.detach().requires_grad_(leaf.requires_grad), part.x))
    state = tree_map(lambda leaf: leaf.requires_grad_() if carries(leaf) else leaf, detached(state))
    with LiveBytes() as live:
        output, after = recurrence.run(part, state)
        roots = [leaf for leaf in tree_leaves((output, after)) if isinstance(leaf, Tensor) and leaf.requires_grad]
        leaves = parameters_in(roots)
        ones = [torch.ones_like(root) for root in roots]
        gradients = torch.autograd.grad(roots, leaves, ones, allow_unused=True) if roots else ()
    return live.peak, _size(gradients)


def _size(tree: Any) -> int:
    return sum(leaf.nbytes for leaf in tree_leaves(tree) if isinstance(leaf, Tensor))


def bytes_of(memory: Any) -> int:
    """Bytes, from their number or a text such as "512MB" (10⁶) or "2GiB" (2³⁰). Raises TypeError or ValueError."""
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


class LiveBytes(TorchDispatchMode):
    """Counts, on any device, the bytes of tensors that are made while it is on and not yet let go."""

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

"""How many bytes passes over segments of a sequence take, and the plan that stays under a limit."""

from __future__ import annotations

import math
import weakref
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from gradreach.record.byte_sizes import readable
from gradreach.remedies.tbptt.allocator import give_back
from gradreach.remedies.tbptt.outside import Outside, unhooked
from gradreach.remedies.tbptt.plan import Plan, plans
from gradreach.remedies.tbptt.recurrence import Recurrence
from gradreach.remedies.tbptt.segment import Segment
from gradreach.remedies.tbptt.surroundings import Surroundings
from gradreach.remedies.tbptt.trees import carries, detached, graph_of, tensors_in, without_a_trace

_MEASURED = 2, 4, 8, 16, 32, 64
"""Steps of the segments that are measured; from 2 on, where gradients of weights begin to be added up."""
_BEYOND = 1.1
"""By how much more than the last measured slope the peak is taken to grow beyond the last measured length."""
_NODE = 1400
"""Bytes of a node of autograd's graph on the host, with the objects of its tensors and what the engine notes of it on
the way back: up to 1060 and some 250 were measured."""
_LOSS = 4
"""How many tensors of the output's size a loss may hold for a moment beside it, as output.square().mean() does."""
_ALLOCATOR = 2**20
"""Bytes that an allocator may keep beyond what is asked of it, in pages and in pieces too small to be used again."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes at the peak of passes over short segments, as (steps, bytes), and of what is held beside segments.

    These are a step's output, the gradient by its x, a state that is kept, and all weights' gradients. `longest` is
    the most steps that a segment may have.
    """

    peaks: tuple[tuple[int, int], ...]
    output: int
    x: int
    state: int
    gradients: int
    longest: int | None = None

    def segment(self, length: int) -> float:
        """The peak of the passes over so many steps, by straight lines through the measured peaks."""
        at = min(max(bisect_left(self.peaks, (length, 0)), 1), len(self.peaks) - 1)
        (shorter, less), (longer, more) = self.peaks[at - 1], self.peaks[at]
        slope = (more - less) / max(longer - shorter, 1)
        return more + slope * (length - longer) * (_BEYOND if length > longer else 1.0)

    def whole(self, T: int) -> float:
        """The peak of plain BPTT: beside its own, which has the output and its gradient, what the loss holds."""
        return self.segment(T) + self.gradients + (_LOSS - 1) * self.output * T + _ALLOCATOR

    def planned(self, plan: Plan, T: int) -> float:
        """The peak with segments run again: that of the loss, or of a segment beside all gradients so far."""
        loss = float((1 + _LOSS) * self.output * T)
        back = (2 * self.output + self.x) * T + self.segment(plan.length) + 2 * self.gradients
        return max(loss, back) + plan.states(T) * self.state + _ALLOCATOR

    def least(self, T: int) -> int:
        """The lowest peak that any plan has."""
        peaks = (self.planned(plan, T) for same in plans(T, self.longest) for plan in same)
        return math.ceil(min((self.whole(T), *peaks)))


def fitting(footprint: Footprint, T: int, limit: int) -> Plan | None:
    """The plan that fits with the fewest passes and the longest segments; None where plain BPTT fits.

    Raises ValueError, with the least figure possible, where nothing fits.
    """
    if footprint.whole(T) <= limit:
        return None
    for same in plans(T, footprint.longest):
        for plan in same:
            if footprint.planned(plan, T) <= limit:
                return plan
    least = footprint.least(T)
    raise ValueError(
        f"memory: expected at least {readable(least)} ({least} bytes) for exact BPTT over {T} steps, got "
        f"{readable(limit)}; raise it, or use tbptt"
    )


def footprint(
    recurrence: Recurrence, sequence: Segment, state: Any, step: Any, outside: Outside, limit: int
) -> Footprint:
    """Measure passes over ever longer segments while these stay under the limit, or the least that can be done."""
    T, found, nodes = sequence.steps, None, Nodes()
    with without_a_trace(sequence.x, step):
        with torch.no_grad():
            output, state = recurrence.run(sequence.part(0, 1), detached(state))
        for length in sorted({min(length, T) for length in _MEASURED}):
            if found is not None and len(found.peaks) > 1:
                allowed = max(limit, found.least(T))
                if _BEYOND * found.segment(length) > allowed:
                    break
            part = sequence.part(0, length)
            peak = _peak(recurrence, part, state, outside.tensors, nodes)
            peaks = ((length, peak),) if found is None else (*found.peaks, (length, peak))
            x = sum(leaf.nbytes for leaf in tensors_in(part.x) if leaf.requires_grad) // length
            found = Footprint(
                peaks, _size(output), x, _size(state) + _draws(sequence.x), _size(outside.tensors), outside.longest
            )
    assert found is not None
    give_back()
    return found


def _peak(recurrence: Recurrence, part: Segment, state: Any, outside: Sequence[Tensor], nodes: Nodes) -> int:
    """Bytes at the peak of a forward and backward pass."""
    part = replace(part, x=tree_map(lambda leaf: leaf.detach().requires_grad_(leaf.requires_grad), part.x))
    with LiveBytes() as live, unhooked(outside):
        state = tree_map(lambda leaf: leaf.requires_grad_() if carries(leaf) else leaf, detached(state))
        output, after = recurrence.run(part, tree_map(lambda leaf: leaf.clone() if carries(leaf) else leaf, state))
        roots = [leaf for leaf in tensors_in((output, after)) if leaf.requires_grad]
        number = nodes.number(roots, part.steps)
        leaves = [leaf for leaf in (*tensors_in((part.x, state)), *outside) if leaf.requires_grad]
        ones = [torch.ones_like(root) for root in roots]
        if roots:
            gradients = torch.autograd.grad(roots, leaves, ones, allow_unused=True)
            del gradients
    peak: int = live.peak
    return peak + _NODE * number


class Nodes:
    """How many nodes the graph of a segment has: counted in short ones, and by a straight line beyond.

    A long graph that has been walked through from Python is freed by a recursion that is too deep for the stack.
    """

    def __init__(self) -> None:
        self._counted: dict[int, int] = {}

    def number(self, roots: Sequence[Tensor], steps: int) -> int:
        """The number of nodes behind these roots, of a segment of so many steps."""
        if len(self._counted) < 2:
            number = self._counted[steps] = len(graph_of(roots)[1])
            return number
        (shorter, less), (longer, more) = self._counted.items()
        return more + (more - less) * (steps - longer) // max(longer - shorter, 1)


def _draws(x: Any) -> int:
    """Bytes of the states of the generators, which are kept with a state."""
    return _size(Surroundings.of(x).draws())


def _size(tree: Any) -> int:
    return sum(leaf.nbytes for leaf in tensors_in(tree))


class LiveBytes(TorchDispatchMode):
    """Counts, on any device, the bytes of tensors that are made while it is on and not yet let go."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: set[int] = set()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch imports its compiler, 70 MB, at the first operation

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

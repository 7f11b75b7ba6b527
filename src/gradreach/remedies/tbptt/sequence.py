"""A sequence with rows that may end anywhere, and a step of any kind run over stretches of it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from gradreach.engine.cells.custom.form import named, outline, varies
from gradreach.engine.cells.custom.step import Cell
from gradreach.remedies.arguments import check_callable, check_state, integer, length_of

Step = Callable[[Any, Any], Any]
"""step(x, state) -> (output, state), over as many steps as x has."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive steps: a pytree x with time at `dim`; `ends[t, b]`, (T, B), where row b ends with step t.

    `cuts` are the steps t + 1 after an end, ascending: known on the host, so that windows ask no device for them.
    """

    x: Any
    dim: int
    steps: int
    ends: Bool[Tensor, "T B"] | None = None
    cuts: tuple[int, ...] = ()

    @staticmethod
    def of(x: Any, dim: int, ends: Bool[Tensor, "T B"] | None = None) -> Stretch:
        cuts = () if ends is None else tuple((ends.any(1).nonzero().flatten() + 1).tolist())
        return Stretch(x, dim, length_of("x", x, dim), ends, cuts)

    def part(self, start: int, stop: int) -> Stretch:
        """Steps start … stop − 1; itself where that is all."""
        if (start, stop) == (0, self.steps):
            return self
        cuts = self.cuts[bisect_right(self.cuts, start) : bisect_right(self.cuts, stop)]
        ends = None if self.ends is None else self.ends[start:stop]
        return Stretch(
            take(self.x, self.dim, start, stop), self.dim, stop - start, ends, tuple(c - start for c in cuts)
        )

    def before(self, later: Stretch) -> Stretch:
        """This stretch and the one that follows it, as one."""
        if self.steps == 0 or later.steps == 0:
            return later if self.steps == 0 else self
        ends = next((part.ends for part in (self, later) if part.ends is not None), None)
        if ends is not None:
            parts = (
                part.ends if part.ends is not None else ends.new_zeros(part.steps, ends.shape[1])
                for part in (self, later)
            )
            ends = torch.cat(list(parts))
        cuts = (*self.cuts, *(cut + self.steps for cut in later.cuts))
        return Stretch(join([self.x, later.x], self.dim), self.dim, self.steps + later.steps, ends, cuts)

    def own(self) -> Stretch:
        """A copy that keeps neither a graph nor a larger tensor alive."""
        return replace(self, x=detached(self.x), ends=None if self.ends is None else self.ends.clone())


@dataclass(frozen=True, slots=True)
class Carry:
    """What the windows of the next batch need of this one: the last steps, and the states that stood among them.

    `states` are pairs of a state and the number of steps before the end at which it stood, the oldest first.
    """

    past: Stretch
    states: tuple[tuple[int, Any], ...]

    def check(self, x: Any, dim: int) -> None:
        """That x can go on from here."""
        came, wanted = (outline(take(tree, at, 0, 0)) for tree, at in ((x, dim), (self.past.x, self.past.dim)))
        if (came, dim) != (wanted, self.past.dim):
            raise ValueError(
                f"state: expected the carry of a batch like this one, with x of {came} without its steps, time at dim "
                f"{dim}, got that of {wanted}, time at dim {self.past.dim}; pass the carry of the same stream, or None"
            )


torch.serialization.add_safe_globals([Carry, Stretch])  # checkpoints of a stream load with weights_only


@dataclass(frozen=True, slots=True)
class Recurrence:
    """How a step is called on a stretch, and how rows of its state begin anew."""

    call: Step
    dim: int
    initial: Any = None
    batch_dim: int | None = None

    @staticmethod
    def of(step: Any, x: Any, dim: int | None, initial: Any = None, batch_dim: int | None = None) -> Recurrence:
        """For a stock layer, a cell of torch.nn, a gr.Cell, or any callable that runs over a whole stretch."""
        dim = None if dim is None else integer("dim", dim)
        batch_dim = None if batch_dim is None else integer("batch_dim", batch_dim)
        check_state("initial", initial)
        module = getattr(step, "_orig_mod", step)  # a compiled layer is still the layer
        dim = _time(module, x, dim)
        if isinstance(module, nn.RNNBase):
            return Recurrence(step, dim, initial, 1 if batch_dim is None else batch_dim)
        if isinstance(module, nn.RNNCellBase | Cell):
            each = step.step if isinstance(step, Cell) else step
            whole = isinstance(step, Cell)
            return Recurrence(_looped(each, dim, whole), dim, initial, 0 if batch_dim is None else batch_dim)
        check_callable("step", step, "a module or a function (x, state) -> (output, state)")
        return Recurrence(step, dim, initial, batch_dim)

    def run(self, part: Stretch, state: Any) -> tuple[Any, Any]:
        """The outputs of every step and the state after the last; a row's state begins anew where the row has ended."""
        if not part.cuts:
            return self._checked(part, state)
        outputs = []
        bounds = sorted({0, *part.cuts, part.steps})
        for start, stop in pairwise(bounds):
            output, state = self._checked(part.part(start, stop), state)
            outputs.append(output)
            if stop in part.cuts and part.ends is not None:
                state = self.anew(state, part.ends[stop - 1])
        return join(outputs, self.dim), state

    def anew(self, state: Any, rows: Bool[Tensor, " B"]) -> Any:
        """The state with those rows at their initial state, through which no gradient goes back."""
        leaves, spec = tree_flatten(state)
        starts: Sequence[Any] = [None] * len(leaves)
        if self.initial is not None:
            starts, shape = tree_flatten(self.initial)
            if shape != spec:
                raise ValueError(
                    f"initial: expected a state built like the step's, {outline(state)}, got {outline(self.initial)}"
                )
        names = [name for name, _ in named("state", state)]
        each = zip(names, leaves, starts, strict=True)
        return tree_unflatten([self._anew(name, leaf, start, rows) for name, leaf, start in each], spec)

    def _anew(self, name: str, leaf: Any, start: Any, rows: Bool[Tensor, " B"]) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        axis = self._batch_axis(name, leaf, len(rows))
        which = rows.to(leaf.device).view([-1 if i == axis else 1 for i in range(leaf.dim())])
        if isinstance(start, Tensor) and not _broadcasts(start.shape, leaf.shape):
            raise ValueError(
                f"initial: expected what broadcasts to {name}, {tuple(leaf.shape)}, got {tuple(start.shape)}"
            )
        return torch.where(which, torch.zeros_like(leaf) if start is None else start, leaf)

    def _batch_axis(self, name: str, leaf: Tensor, B: int) -> int:
        told = self.batch_dim
        if told is None:
            fitting = [i for i, size in enumerate(leaf.shape) if size == B]
            if len(fitting) == 1:
                return fitting[0]
            why = "several dimensions" if fitting else "no dimension"
            raise ValueError(
                f"{name}: expected one dimension of size B = {B}, whose rows can begin anew, got {why} of that size in "
                f"{tuple(leaf.shape)}; say which holds the rows with batch_dim"
            )
        if not -leaf.dim() <= told < leaf.dim() or leaf.shape[told] != B:
            raise ValueError(
                f"batch_dim: expected the dimension of {name} that has size B = {B}, got {told} for "
                f"{tuple(leaf.shape)}; choose the one that holds the rows"
            )
        return told % leaf.dim()

    def _checked(self, part: Stretch, state: Any) -> tuple[Any, Any]:
        result = self.call(part.x, state)
        if not isinstance(result, tuple | list) or len(result) != 2:
            raise TypeError(f"step: expected it to return (output, state), got {type(result).__name__}")
        output, state = result
        check_state("state that step returned", state)
        for name, leaf in named("output", output):
            if not isinstance(leaf, Tensor) or leaf.dim() <= self.dim or leaf.shape[self.dim] != part.steps:
                came = tuple(leaf.shape) if isinstance(leaf, Tensor) else type(leaf).__name__
                raise ValueError(
                    f"step: expected {name} with the {part.steps} steps of its x at dim {self.dim}, got {came}; return "
                    "an output for every step, with time where x has it"
                )
        return output, state


def take(tree: Any, dim: int, start: int, stop: int) -> Any:
    """Views of steps start … stop − 1."""
    return tree_map(lambda leaf: leaf.narrow(dim, start, stop - start), tree)


def join(trees: Sequence[Any], dim: int) -> Any:
    if len(trees) == 1:
        return trees[0]
    return tree_map(lambda *leaves: torch.cat(leaves, dim), *trees)


def detached(tree: Any) -> Any:
    """Copies of its tensors without their graph: views would keep a whole window's storage, and share its version."""
    return tree_map(lambda leaf: leaf.detach().clone() if isinstance(leaf, Tensor) else leaf, tree)


def carries(leaf: Any) -> bool:
    """Whether a gradient can go through it."""
    return isinstance(leaf, Tensor) and varies(leaf.dtype)


def parameters_in(roots: Sequence[Tensor]) -> list[Tensor]:
    """The leaves of autograd's graph that these tensors were made from."""
    waiting = [root.grad_fn for root in roots if root.grad_fn is not None]
    seen, leaves = set(waiting), {id(root): root for root in roots if root.requires_grad and root.is_leaf}
    while waiting:
        node = waiting.pop()
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            leaves[id(leaf)] = leaf
        for after, _ in node.next_functions:
            if after is not None and after not in seen:
                seen.add(after)
                waiting.append(after)
    return list(leaves.values())


def module_of(step: Any) -> nn.Module | None:
    """The module behind a step: itself, a gr.Cell's, or the one whose method it is."""
    step = step.step if isinstance(step, Cell) else step
    step = step if isinstance(step, nn.Module) else getattr(step, "__self__", None)
    return step if isinstance(step, nn.Module) else None


class BuffersKept:
    """Running statistics and the like are afterwards what they were, graphs that hold them included.

    Entered again for every backward pass through the same graph.
    """

    def __init__(self, module: nn.Module | None) -> None:
        self._module = module
        self._kept: list[tuple[Tensor, Tensor]] = []

    def __enter__(self) -> None:
        buffers = () if self._module is None else self._module.buffers()
        self._kept = [(buffer, buffer.clone()) for buffer in buffers]

    def __exit__(self, *_: object) -> None:
        for buffer, was in self._kept:
            buffer.data.copy_(was)  # .data: its own version counter, so that a graph outside still goes back
        self._kept = []


def last_state(state: Any) -> Any:
    """Where a carry ends; any other state itself."""
    state = state.states[-1][1] if isinstance(state, Carry) else state
    check_state("state", state)
    return state


def _time(step: Any, x: Any, dim: int | None) -> int:
    """Where x has time: as told, or as the recurrent layers of its module have it."""
    owner = None if isinstance(step, Cell) else module_of(step)
    layers = [] if owner is None else [each for each in owner.modules() if isinstance(each, nn.RNNBase)]
    for each in layers:
        if each.bidirectional and owner is step:  # a method may well leave it out
            raise ValueError(
                f"step: expected one direction, got a bidirectional {type(each).__name__}: it needs the whole sequence "
                "at once; make it with bidirectional=False, or, where it runs within a step, wrap step in a function"
            )
    if dim is not None:
        return dim
    orders = {each.batch_first for each in layers}
    if len(orders) > 1:
        raise ValueError("dim: expected to be told where x has time, as some layers in step are batch_first, some not")
    batched = not isinstance(step, nn.RNNBase) or any(
        leaf.dim() == 3 for leaf in tree_leaves(x) if isinstance(leaf, Tensor)
    )
    return int(True in orders and batched)


def _broadcasts(shape: Sequence[int], onto: Sequence[int]) -> bool:
    padded = [1] * (len(onto) - len(shape)) + list(shape)
    return len(padded) == len(onto) and all(size in (1, wanted) for size, wanted in zip(padded, onto, strict=True))


def _looped(step: Step, dim: int, whole: bool) -> Step:
    """A cell's step over every x_t; the outputs are its states, of (h, c) only h unless the `whole` state is wanted."""

    def call(x: Any, state: Any) -> tuple[Any, Any]:
        states = []
        leaves, spec = tree_flatten(x)
        for each in zip(*(leaf.unbind(dim) for leaf in leaves), strict=True):
            state = step(tree_unflatten(each, spec), state)
            states.append(state[0] if isinstance(state, tuple) and not whole else state)
        return tree_map(lambda *leaves: torch.stack(leaves, dim), *states), state

    return call

"""A step of any kind, run over segments of a sequence whose rows may end anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from gradreach.engine.custom.form import named, outline
from gradreach.engine.custom.step import Cell
from gradreach.remedies.arguments import integer
from gradreach.remedies.tbptt.arguments import check_callable, check_state
from gradreach.remedies.tbptt.batch_layout import BatchLayout
from gradreach.remedies.tbptt.segment import Segment
from gradreach.remedies.tbptt.trees import join, module_of

Step = Callable[[Any, Any], Any]
"""step(x, state) -> (output, state), over as many steps as x has."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """How a step is called on a segment, and how rows of its state begin anew."""

    call: Step
    dim: int
    initial: Any = None
    batch_dim: int | None = None

    @staticmethod
    def of(step: Any, x: Any, layout: BatchLayout) -> Recurrence:
        """For a stock layer, a cell of torch.nn, a gr.Cell, or any callable that runs over a whole segment."""
        dim = None if layout.dim is None else integer("dim", layout.dim)
        batch_dim = None if layout.batch_dim is None else integer("batch_dim", layout.batch_dim)
        check_state("initial", layout.initial)
        module = getattr(step, "_orig_mod", step)  # a compiled layer is still the layer
        dim = _time(module, x, dim)
        call = step
        if isinstance(module, nn.RNNBase):
            batch_dim = 1 if batch_dim is None else batch_dim
        elif isinstance(module, nn.RNNCellBase | Cell):
            batch_dim = 0 if batch_dim is None else batch_dim
            whole = isinstance(step, Cell)
            call = _looped(step.step if whole else step, dim, whole)
        else:
            check_callable("step", step, "a module or a function (x, state) -> (output, state)")
        return Recurrence(call, dim, layout.initial, batch_dim)

    def run(self, part: Segment, state: Any) -> tuple[Any, Any]:
        """The outputs of every step and the state after the last; where a row has ended its state begins anew."""
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

    def _checked(self, part: Segment, state: Any) -> tuple[Any, Any]:
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


def _time(step: Any, x: Any, dim: int | None) -> int:
    """Where x has time: as it was given, or as the recurrent layers of the step's module have it."""
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
    """A cell's step over every x_t. The outputs are its states, or only h of (h, c) unless the `whole` is wanted."""

    def call(x: Any, state: Any) -> tuple[Any, Any]:
        states = []
        leaves, spec = tree_flatten(x)
        for each in zip(*(leaf.unbind(dim) for leaf in leaves), strict=True):
            state = step(tree_unflatten(each, spec), state)
            states.append(state[0] if isinstance(state, tuple) and not whole else state)
        return tree_map(lambda *leaves: torch.stack(leaves, dim), *states), state

    return call

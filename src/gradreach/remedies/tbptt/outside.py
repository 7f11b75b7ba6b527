"""What the gradient of a step goes to beside x and state: parameters, and tensors of a graph that was made before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from gradreach.remedies.tbptt.recurrence import Recurrence
from gradreach.remedies.tbptt.segment import Segment
from gradreach.remedies.tbptt.trees import carries, graph_of, module_of, tensors_in, without_a_trace

_WALKED = 4000
"""Nodes of a graph that are walked through from Python: with a hundred thousand, freeing them overflows the stack."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The `tensors` from outside that a step's gradient goes to, and which tensors in (output, state) have a gradient.

    What a function reaches cannot be known before it ran, so that every segment is checked. It then has at most the
    `longest` number of steps; None for a module, to which its parameters belong.
    """

    tensors: tuple[Tensor, ...]
    varying: tuple[bool, ...]
    longest: int | None = None

    @staticmethod
    def of(recurrence: Recurrence, sequence: Segment, state: Any, step: Any) -> Outside:
        """Found by running the first step twice, from the state as it is given and from the one that follows."""
        module, own = module_of(step), Own()
        part = Segment.of(tree_map(own.apart, sequence.part(0, 1).x), recurrence.dim)

        def runs() -> tuple[list[Tensor], list[Tensor]]:
            first, after = recurrence.run(part, tree_map(own.changeable, state))
            last, end = recurrence.run(part, tree_map(own.varying, after))
            return tensors_in((first, after, last, end)), tensors_in((last, end))

        with torch.enable_grad(), without_a_trace(part.x, step):
            began = _order(torch.ones((), requires_grad=True).clone())
            roots, last = runs()
            made: list[Tensor] = []
            leaves, nodes = graph_of(roots, since=began)
            if _older(nodes, began):
                with _Arguments(began) as arguments:
                    roots, last = runs()
                made = list(arguments.found.values())
                leaves, nodes = graph_of(roots, made, began)
                if _older(nodes, began) - {each.grad_fn for each in made}:
                    raise ValueError(
                        "step: expected to find every tensor with a graph that it uses beside x and state, got one "
                        "that only a custom operation sees; give it in x or state, or make it within step"
                    )
        parameters = () if module is None else [p for p in module.parameters() if p.requires_grad]
        every = {id(leaf): leaf for leaf in (*made, *leaves, *parameters) if id(leaf) not in own.leaves}
        longest = None if module is not None else max(1, _WALKED * 2 // max(1, len(nodes)))
        return Outside(tuple(every.values()), tuple(leaf.requires_grad for leaf in last), longest)

    def check(self, roots: Sequence[Tensor], own: Sequence[Tensor]) -> None:
        """Raise RuntimeError where the gradient of the roots goes to anything but these and its `own` leaves."""
        if self.longest is None:
            return
        known = {id(leaf) for leaf in (*self.tensors, *own)}
        made = [leaf for leaf in (*self.tensors, *own) if leaf.grad_fn is not None]
        for leaf in graph_of(roots, made)[0]:
            if id(leaf) not in known:
                raise RuntimeError(
                    f"step: expected to use the same parameters at every step of x, got one of shape "
                    f"{tuple(leaf.shape)} that its first step did not use; make it a parameter of the module given as "
                    "step, or run step over all of x at once"
                )


class Own:
    """Makes leaves of a graph of its own, which are not outside of it, and knows them again."""

    def __init__(self) -> None:
        self.leaves: dict[int, Tensor] = {}

    def apart(self, leaf: Tensor) -> Tensor:
        """The same memory as a leaf of this graph."""
        return self._leaf(leaf.detach(), leaf.requires_grad)

    def changeable(self, leaf: Any) -> Any:
        """A copy that a step may change in place, where it is a tensor."""
        return self._leaf(leaf.detach(), leaf.requires_grad).clone() if isinstance(leaf, Tensor) else leaf

    def varying(self, leaf: Any) -> Any:
        """The leaf, with a gradient where a gradient can go through it."""
        return self._leaf(leaf, True).clone() if carries(leaf) and not leaf.requires_grad else leaf

    def _leaf(self, leaf: Tensor, requires_grad: bool) -> Tensor:
        leaf = leaf.detach().requires_grad_(requires_grad)
        self.leaves[id(leaf)] = leaf
        return leaf


@contextmanager
def unhooked(tensors: Sequence[Tensor]) -> Iterator[None]:
    """Within it the tensors' hooks are not called: they are for the whole gradient, not for that of a segment."""
    hooks = [(each._backward_hooks, dict(each._backward_hooks)) for each in tensors if each._backward_hooks]
    for called, _ in hooks:
        called.clear()
    try:
        yield
    finally:
        for called, kept in hooks:
            called.update(kept)


def _older(nodes: set[Any], began: int) -> set[Any]:
    return {node for node in nodes if node._sequence_nr() < began}


def _order(tensor: Tensor) -> int:
    """When the operation that made a tensor ran, among those of this thread."""
    assert tensor.grad_fn is not None
    return int(tensor.grad_fn._sequence_nr())


class _Arguments(TorchDispatchMode):
    """Finds what operations are given that an operation before `began` made."""

    def __init__(self, began: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._began = began
        self.found: dict[int, Tensor] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch imports its compiler, 70 MB, at the first operation

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for leaf in tree_leaves((args, kwargs)):
            if isinstance(leaf, Tensor) and leaf.grad_fn is not None and _order(leaf) < self._began:
                self.found[id(leaf)] = leaf
        return func(*args, **(kwargs or {}))

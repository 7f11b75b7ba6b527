"""Trees of tensors with time at one dimension, and running a step without leaving a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.random import fork_rng
from torch.utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_map, tree_map_only, tree_unflatten

from gradreach.engine.custom.form import varies
from gradreach.engine.custom.step import Cell


@dataclass(frozen=True, slots=True)
class Form:
    """How a tree is built, with the leaves in it that are no tensors."""

    spec: TreeSpec
    leaves: tuple[Any, ...]
    places: tuple[int, ...]

    @staticmethod
    def of(tree: Any) -> tuple[Form, list[Tensor]]:
        """The form and the tensors of a tree."""
        leaves, spec = tree_flatten(tree)
        places = tuple(i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor))
        others = tuple(None if isinstance(leaf, Tensor) else leaf for leaf in leaves)
        return Form(spec, others, places), [leaves[i] for i in places]

    def tree(self, tensors: Sequence[Any]) -> Any:
        """A tree of this form with the first of these tensors in it."""
        leaves = list(self.leaves)
        for i, tensor in zip(self.places, tensors, strict=False):
            leaves[i] = tensor
        return tree_unflatten(leaves, self.spec)


def take(tree: Any, dim: int, start: int, stop: int) -> Any:
    """Views of steps start … stop − 1."""
    return tree_map(lambda leaf: leaf.narrow(dim, start, stop - start), tree)


def join(trees: Sequence[Any], dim: int) -> Any:
    """Trees of consecutive steps as one tree."""
    if len(trees) == 1:
        return trees[0]
    return tree_map(lambda *leaves: torch.cat(leaves, dim), *trees)


def detached(tree: Any) -> Any:
    """Copies of a tree's tensors without their graph; views would share a whole window's storage and version."""
    return tree_map_only(Tensor, lambda leaf: leaf.detach().clone(), tree)


def tensors_in(tree: Any) -> list[Tensor]:
    """The leaves that are tensors."""
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def carries(leaf: Any) -> bool:
    """Whether a gradient can go through a leaf."""
    return isinstance(leaf, Tensor) and varies(leaf.dtype)


def parameters_in(roots: Sequence[Tensor]) -> list[Tensor]:
    """The leaves of autograd's graph that these tensors were made from."""
    return graph_of(roots)[0]


def graph_of(roots: Sequence[Tensor], outside: Sequence[Tensor] = (), since: int = 0) -> tuple[list[Tensor], set[Any]]:
    """The leaves of autograd's graph that tensors were made from, and its nodes.

    Not what lies behind the `outside`, nor behind a node that was made before the one of number `since`.
    """
    waiting = [root.grad_fn for root in roots if root.grad_fn is not None]
    seen, leaves = set(waiting), {id(root): root for root in roots if root.requires_grad and root.is_leaf}
    behind = {each.grad_fn for each in outside}
    while waiting:
        node = waiting.pop()
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            leaves[id(leaf)] = leaf
        for after, _ in () if node in behind or node._sequence_nr() < since else node.next_functions:
            if after is not None and after not in seen:
                seen.add(after)
                waiting.append(after)
    return list(leaves.values()), seen


def module_of(step: Any) -> nn.Module | None:
    """The module behind a step: itself, a gr.Cell's, or the one whose method it is."""
    step = step.step if isinstance(step, Cell) else step
    step = step if isinstance(step, nn.Module) else getattr(step, "__self__", None)
    return step if isinstance(step, nn.Module) else None


class RestoredBuffers:
    """Within it a module's buffers (running statistics) may change; afterwards they hold what they held before.

    It may be entered again and again: for every backward pass through the same checkpointed graph.
    """

    def __init__(self, module: nn.Module | None) -> None:
        self._module = module
        self._copies: list[tuple[Tensor, Tensor]] = []

    def __enter__(self) -> None:
        buffers = () if self._module is None else self._module.buffers()
        self._copies = [(buffer, buffer.clone()) for buffer in buffers]

    def __exit__(self, *_: object) -> None:
        for buffer, copy in self._copies:
            buffer.data.copy_(copy)  # .data has a version counter of its own, so a graph outside still goes back
        self._copies = []


@contextmanager
def without_a_trace(x: Any, *steps: Any) -> Iterator[None]:
    """Within it steps may be run on x; afterwards their buffers and the generators are what they were."""
    with ExitStack() as stack:
        stack.enter_context(drawing_apart(tree_leaves(x)[0].device))
        for step in steps:
            stack.enter_context(RestoredBuffers(module_of(step)))
        yield


def drawing_apart(device: torch.device) -> AbstractContextManager[None]:
    """After it the generators of the CPU and of the device are what they were."""
    return fork_rng([]) if device.type == "cpu" else fork_rng([device], device_type=device.type)

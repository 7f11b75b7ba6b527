"""Trees of tensors with time at one dimension, and running a step without leaving a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.random import fork_rng
from torch.utils._pytree import tree_leaves, tree_map, tree_map_only

from gradreach.engine.custom.form import varies
from gradreach.engine.custom.step import Cell


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


def carries(leaf: Any) -> bool:
    """Whether a gradient can go through a leaf."""
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
    device = tree_leaves(x)[0].device
    with ExitStack() as stack:
        stack.enter_context(fork_rng([]) if device.type == "cpu" else fork_rng([device], device_type=device.type))
        for step in steps:
            stack.enter_context(RestoredBuffers(module_of(step)))
        yield

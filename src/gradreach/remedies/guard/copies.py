"""Copies of a tree of tensors in the host's memory, in as few kernels and with as little new memory as possible."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from gradreach.engine.norms import local

_PLAIN = (int, float, bool, str, type(None))


@torch.no_grad()
def copied(tree: Any, room: Any = None) -> Any:
    """A copy in the host's memory; a tensor that stands twice is copied once.

    The copies go into the tensors of `room`, a tree that is needed no more, where these have the shape and dtype. A
    GPU's tensors go to pinned memory, and the host does not wait for them.
    """
    free: dict[Any, deque[Tensor]] = defaultdict(deque)
    for old in {id(leaf): leaf for leaf in tree_leaves(room) if isinstance(leaf, Tensor)}.values():
        free[_form(old)].append(old)
    pairs: dict[int, tuple[Tensor, Tensor]] = {}

    def copy(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf if type(leaf) in _PLAIN else deepcopy(leaf)
        if id(leaf) not in pairs:
            source = local(leaf)
            fitting = free[_form(source)]
            pairs[id(leaf)] = (fitting.popleft() if fitting else _room_for(source), source)
        return pairs[id(leaf)][0]

    tree = tree_map(copy, tree)
    copy_all(list(pairs.values()))
    return tree


def copy_all(pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Copy source into target for every (target, source), in as few kernels as there are."""
    dense = []
    for target, source in pairs:
        if target.layout == torch.strided:
            dense.append((target, source))
        else:
            target.copy_(source)
    if dense:
        targets, sources = zip(*dense, strict=True)
        on_gpu = any(t.device.type == "cuda" for t in (*targets, *sources))
        torch._foreach_copy_(list(targets), list(sources), non_blocking=on_gpu)


def equal_or_both_nan(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal, NaN counting as equal to NaN."""
    return torch.equal(one, other) or bool(((one == other) | ((one != one) & (other != other))).all())


def _form(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.shape, tensor.dtype, tensor.layout


def _room_for(source: Tensor) -> Tensor:
    pinned = source.layout == torch.strided and source.device.type == "cuda"
    return torch.empty_like(source, device="cpu", pin_memory=pinned)

"""Copies of a tree of tensors in the host's memory, in as few kernels and with as little new memory as possible."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

from gradreach.engine.norms import local

_PLAIN = (int, float, bool, str, type(None))


@dataclass(frozen=True, slots=True)
class TreeCopy:
    """A tree as the list of its leaves; it is put together again where it is read."""

    leaves: list[Any]
    spec: TreeSpec

    @property
    def tree(self) -> Any:
        return tree_unflatten(self.leaves, self.spec)


@torch.no_grad()
def copied(tree: Any, room: TreeCopy | None = None) -> TreeCopy:
    """A copy in the host's memory; a tensor that stands twice is copied once.

    The copies go into the tensors of `room`, a copy that is needed no more, where these stand at the same place and
    have the shape and dtype. A GPU's tensors go to pinned memory, and the host does not wait for them.
    """
    leaves, spec = tree_flatten(tree)
    pairs: dict[int, tuple[Tensor, Tensor]] = {}
    taken: set[int] = set()
    copies: list[Any] = []
    for leaf, old in zip_longest(leaves, [] if room is None else room.leaves[: len(leaves)]):
        if not isinstance(leaf, Tensor):
            copies.append(leaf if type(leaf) in _PLAIN else deepcopy(leaf))
            continue
        if id(leaf) not in pairs:
            source = local(leaf)
            target = old if _fits(old, source) and id(old) not in taken else _room_for(source)
            taken.add(id(target))
            pairs[id(leaf)] = target, source
        copies.append(pairs[id(leaf)][0])
    copy_all(list(pairs.values()))
    return TreeCopy(copies, spec)


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


def _fits(old: Any, source: Tensor) -> bool:
    return isinstance(old, Tensor) and old.shape == source.shape and old.dtype == source.dtype


def _room_for(source: Tensor) -> Tensor:
    pinned = source.layout == torch.strided and source.device.type == "cuda"
    return torch.empty_like(source, device="cpu", pin_memory=pinned)

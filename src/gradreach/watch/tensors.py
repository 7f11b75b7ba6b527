"""The tensors in whatever a module is given or returns: torch's own pytrees, opened further where torch stops."""

from __future__ import annotations

from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map_only

Tree = TypeVar("Tree")


def tensors_of(*trees: Any) -> list[Tensor]:
    """All tensors of nested values, in order: of tuples, lists, dicts, packed sequences and dataclasses of tensors."""
    found: list[Tensor] = []
    for tree in trees:
        if isinstance(tree, Tensor):
            found.append(tree)
        elif tree is not None:
            for leaf in tree_leaves(tree):
                found += (leaf,) if isinstance(leaf, Tensor) else tensors_of(*_inside(leaf))
    return found


def first_tensor(*trees: Any) -> Tensor | None:
    """The first tensor of nested values; None where there is none."""
    return next(iter(tensors_of(*trees)), None)


def without_graph(tree: Tree) -> Tree:
    """The same values without the graph that made them, which must not be kept alive."""
    mapped: Tree = tree_map_only(Tensor, lambda tensor: tensor.detach().requires_grad_(tensor.requires_grad), tree)
    return mapped


def unscaled(gradient: Tensor, scale: float) -> Tensor:
    """A gradient without the loss scale, in float32 at least: in half precision it might vanish."""
    return gradient.to(torch.promote_types(gradient.dtype, torch.float32)) / scale


def bytes_of(tensor: Tensor) -> int:
    """Memory that a tensor's numbers hold; of a sparse one the numbers that are stored."""
    if tensor.layout == torch.strided:
        return tensor.numel() * tensor.element_size()
    stored = tensor._nnz() if tensor.layout == torch.sparse_coo else tensor.values().numel()
    return stored * tensor.element_size()


def _inside(leaf: Any) -> tuple[Any, ...]:
    """What torch takes for a leaf and is none: dataclasses, and subclasses of dict, list and tuple."""
    if isinstance(leaf, dict):
        return tuple(leaf.values())
    if isinstance(leaf, (list, tuple)):
        return tuple(leaf)
    if hasattr(leaf, "__dataclass_fields__"):
        return tuple(vars(leaf).values()) if hasattr(leaf, "__dict__") else ()
    return ()

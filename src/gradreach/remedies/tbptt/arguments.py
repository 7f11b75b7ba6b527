"""Checks of sequences, states and counts of steps, made before anything runs on them."""

from __future__ import annotations

from numbers import Number
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence
from torch.utils._pytree import tree_leaves

from gradreach.engine.custom.form import named
from gradreach.remedies.arguments import integer


def steps(name: str, given: Any, what: str = "a whole number of steps") -> int:
    """A number of steps as an int. Raises TypeError or ValueError where it is not one of at least 1."""
    count = integer(name, given, what)
    if count < 1:
        raise ValueError(f"{name}: expected at least 1 step, got {count}")
    return count


def length_of(name: str, tree: Any, dim: int) -> int:
    """T, the size of every leaf at `dim`. Raises TypeError or ValueError where the leaves have none in common."""
    if dim < 0:
        raise ValueError(f"dim: expected 0 or more, counted from the front for every tensor alike, got {dim}")
    if isinstance(tree, PackedSequence):
        raise TypeError(
            f"{name}: expected padded tensors, got a PackedSequence; give what pad_packed_sequence returns: the padded "
            "tensor, and its lengths as lengths"
        )
    sizes = {}
    for path, leaf in named(name, tree):
        if not isinstance(leaf, Tensor):
            raise TypeError(f"{path}: expected a tensor, got {type(leaf).__name__}; give padded tensors and lengths")
        if leaf.dim() <= dim:
            raise ValueError(
                f"{path}: expected time at dim {dim}, got shape {tuple(leaf.shape)}; say where it is with dim"
            )
        sizes[path] = leaf.shape[dim]
    if len(set(sizes.values())) != 1 or 0 in sizes.values():
        raise ValueError(f"{name}: expected at least one step, the same number everywhere, got {sizes} at dim {dim}")
    return next(iter(sizes.values()))


def length_of_pair(x: Any, y: Any, dim: int) -> int:
    """T of inputs and targets. Raises ValueError where one has a graph, or the two do not have the same T."""
    T = length_of("x", x, dim)
    for name, tree in (("x", x), ("y", y)):
        refuse_graph(name, tree, "make it inside step (an embedding, for one), or give it detached")
    if y is not None and (came := length_of("y", y, dim)) != T:
        raise ValueError(f"y: expected the {T} steps of x at dim {dim}, got {came}")
    return T


def refuse_graph(name: str, tree: Any, cure: str) -> None:
    """Raise ValueError, with the `cure`, where a leaf was made by a graph."""
    for leaf in tree_leaves(tree):
        if isinstance(leaf, Tensor) and leaf.grad_fn is not None:
            path = next(path for path, each in named(name, tree) if each is leaf)
            raise ValueError(
                f"{path}: expected a tensor without a graph, got one made by {leaf.grad_fn.name()}, through which "
                f"every window would go back again; {cure}"
            )


def check_state(name: str, state: Any) -> None:
    """Raise TypeError for a leaf that is neither tensor nor number: a graph could go on unseen through it."""
    for leaf in tree_leaves(state):
        if isinstance(leaf, Tensor | Number | str | None):
            continue
        kind = type(leaf).__name__
        if hasattr(type(leaf), "carry"):
            raise TypeError(f"{name}: expected a state, got a {kind}; give window.carry or window.state")
        raise TypeError(
            f"{name}: expected tensors and numbers in tuples, lists and dictionaries, got a {kind}; return one of "
            f"these, or make {kind} known with torch.utils._pytree.register_pytree_node"
        )


def check_loss(loss: Any) -> None:
    check_callable("loss", loss, "a function loss(output, y) -> scalar")


def check_callable(name: str, given: Any, what: str) -> None:
    """Raise TypeError where it cannot be called, or is a class, which would be called to make an object."""
    if not callable(given) or isinstance(given, type):
        came = f"the class {given.__name__}" if isinstance(given, type) else repr(given)
        raise TypeError(f"{name}: expected {what}, got {came}")


def tensor_of(name: str, given: Any) -> Tensor:
    """A tensor, or numbers in lists, as a tensor."""
    try:
        return torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name}: expected a tensor, or numbers in lists, got {given!r}") from None

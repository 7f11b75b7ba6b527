"""The tensors in whatever a module is given or returns, and which of them have numbers that can be measured."""

from __future__ import annotations

from collections import deque
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch._C import _functorch
from torch.nn.parameter import Parameter, is_lazy
from torch.utils._pytree import SUPPORTED_NODES, tree_map_only

from gradreach.engine.norms import is_sharded

Tree = TypeVar("Tree")

MOST_PARTS = 10_000
"""Of nested values with more parts the first are looked at."""

_SPARSE = (torch.sparse_coo, torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)
_STRIDED = torch.strided
_HAS_NAMES = hasattr(torch.Tensor, "names")
_DISABLED = torch.Tensor.__torch_dispatch__


def is_dense(tensor: Tensor) -> bool:
    """Whether a tensor's numbers, of whatever type, lie in this process's memory one beside the other.

    Not those of one that stands for others (under vmap, grad and their like, fake, on the meta device, of a class that
    computes in its own way), nor of one that is nested, sparse, quantized, sharded, in a layout of MKL-DNN, with named
    dimensions, or whose memory is given back for now.
    """
    kind = type(tensor)
    if kind is not Tensor and kind is not Parameter and (kind.__torch_dispatch__ is not _DISABLED or is_lazy(tensor)):
        return False
    if tensor.layout != _STRIDED or tensor.is_meta or tensor.is_nested or tensor.is_quantized:
        return False
    if _HAS_NAMES and any(tensor.names):  # type: ignore[attr-defined]
        return False
    if _functorch.is_functorch_wrapped_tensor(tensor) or _functorch.is_legacy_batchedtensor(tensor):
        return False
    return tensor.numel() == 0 or tensor.untyped_storage().size() > 0


def is_without_memory(tensor: Tensor) -> bool:
    """Whether a tensor's memory is given back for now, as that of FSDP2's whole weights: who reads it ends the
    process."""
    if type(tensor) not in (Tensor, Parameter) or tensor.layout != _STRIDED or tensor.is_meta or tensor.is_nested:
        return False
    if _functorch.is_functorch_wrapped_tensor(tensor) or _functorch.is_legacy_batchedtensor(tensor):
        return False
    return tensor.numel() > 0 and tensor.untyped_storage().size() == 0


def is_dense_and_real(tensor: Tensor) -> bool:
    """Whether a tensor is dense, and of floating-point numbers that torch can compute with."""
    return tensor.dtype.is_floating_point and tensor.dtype.itemsize >= 2 and is_dense(tensor)


def is_real_on_cpu(tensor: Tensor) -> bool:
    """Whether a tensor is dense, of floating-point numbers, and on a CPU."""
    return tensor.device.type == "cpu" and is_dense_and_real(tensor)


def is_measurable(tensor: Tensor) -> bool:
    """Whether a tensor has real or complex numbers whose norm can be taken: dense ones, the stored ones of a sparse
    tensor, this rank's own of a sharded one."""
    dtype = tensor.dtype
    if not (dtype.is_floating_point or dtype.is_complex) or dtype.itemsize < 2:
        return False
    if tensor.layout in _SPARSE:
        return type(tensor).__torch_dispatch__ is _DISABLED and not tensor.is_meta
    return is_sharded(tensor) or is_dense(tensor)


def tensors_of(*trees: Any) -> list[Tensor]:
    """All tensors of nested values, in order: of tuples, lists, dicts, packed sequences and dataclasses of tensors.

    No method of the script's own containers is called; a container within itself is opened once.
    """
    found: list[Tensor] = []
    opened: set[int] = set()
    pending = list(reversed(trees))
    for _ in range(MOST_PARTS):
        if not pending:
            break
        part = pending.pop()
        if issubclass(type(part), Tensor):  # by the class itself: `isinstance` asks the object too
            found.append(part)
        elif part is not None and id(part) not in opened and (inside := _inside(part)):
            opened.add(id(part))
            pending += reversed(inside)
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
    """Memory that a tensor's numbers hold; 0 where they cannot be measured."""
    if tensor.layout == torch.strided and not tensor.is_nested:
        return tensor.numel() * tensor.element_size()
    if not is_measurable(tensor):
        return 0
    stored = tensor._nnz() if tensor.layout == torch.sparse_coo else tensor.values().numel()
    return stored * tensor.element_size()


def _inside(part: Any) -> tuple[Any, ...]:
    """What a container holds: one of Python's own, one that is registered with torch's pytrees, a dataclass."""
    kind = type(part)
    if issubclass(kind, dict):
        return tuple(dict.values(part))
    if issubclass(kind, (list, tuple, deque)):
        return tuple(next(own for own in (list, tuple, deque) if issubclass(kind, own)).__iter__(part))
    if kind in SUPPORTED_NODES:
        return tuple(SUPPORTED_NODES[kind].flatten_fn(part)[0])
    if hasattr(kind, "__dataclass_fields__"):
        return tuple(object.__getattribute__(part, "__dict__").values()) if kind.__dictoffset__ else ()
    return ()

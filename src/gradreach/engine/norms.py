"""Norms of many tensors in one fused pass, right for sparse and half-precision gradients and over shards when asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import prod
from typing import Any, cast

import torch
from torch import Tensor

HALF = (torch.float16, torch.bfloat16)


def is_sharded(tensor: Tensor) -> bool:
    """Whether a tensor's values lie on several ranks (a DTensor of FSDP2 or tensor parallelism)."""
    return type(tensor) is not Tensor and hasattr(tensor, "to_local")


def is_whole(tensor: Tensor) -> bool:
    """Whether a DTensor's values lie on every rank as they are: it is neither split nor a part of a sum."""
    return all(placement.is_replicate() for placement in tensor.placements)  # type: ignore[attr-defined]


def local(tensor: Tensor) -> Tensor:
    """A tensor's own numbers on this rank, without its history; they share its memory."""
    tensor = tensor.detach()
    return cast(Tensor, tensor.to_local()) if is_sharded(tensor) else tensor  # type: ignore[attr-defined]


def values(gradient: Tensor) -> Tensor:
    """A gradient's numbers: of a sharded one this rank's own, of a sparse one those stored, repeated indices summed.

    They share the gradient's memory, but for a sparse one with repeated indices.
    """
    gradient = local(gradient)
    if gradient.layout == torch.strided:
        return gradient
    return gradient.coalesce().values() if gradient.is_sparse else gradient.values()


@torch.no_grad()
def each_norm(tensors: Sequence[Tensor], dtype: torch.dtype | None = None) -> list[Tensor]:
    """The 2-norm of each tensor, 0-d on the tensor's own device; of sharded ones this rank's part.

    `dtype` is the one it is summed in: by default the tensor's own, float32 for half precision.
    """
    norms: dict[int, Tensor] = {}
    alike: dict[tuple[torch.device, torch.dtype], list[int]] = defaultdict(list)
    numbers = [values(t) for t in tensors]
    for index, each in enumerate(numbers):
        alike[each.device, each.dtype].append(index)
    for (_, own), indices in alike.items():
        wide = dtype or (torch.float32 if own in HALF else None)
        norms.update(zip(indices, torch._foreach_norm([numbers[i] for i in indices], 2, wide), strict=True))
    return [norms[i] for i in range(len(numbers))]


@torch.no_grad()
def total(norms: Sequence[Tensor]) -> Tensor:
    """The 2-norm over all tensors from the norm of each, 0-d on the first one's device."""
    device = norms[0].device
    if any(norm.device != device for norm in norms):
        norms = [norm.to(device) for norm in norms]
    return cast(Tensor, torch.linalg.vector_norm(torch.stack(list(norms))))


def global_norm(tensors: Sequence[Tensor]) -> Tensor | None:
    """The 2-norm over all tensors together, 0-d on the first tensor's device; None where there is none.

    Of sharded tensors this rank's part: ranks look at different steps, so a collective here could hang the training.
    """
    return total(each_norm(tensors)) if tensors else None


@torch.no_grad()
def norm_of_part(tensors: Sequence[Tensor]) -> Tensor | None:
    """This rank's part of the global norm of gradients some of which are sharded, 0-d on the first one's device.

    The squares of the parts of all `ranks_of_parts` add up to that of the global norm: what n of these ranks hold alike
    counts for 1/n of its square on each. A whole tensor among sharded ones, or one on a mesh of fewer ranks, is taken
    for alike on the others. No rank waits for another. None where a tensor still awaits its sum over ranks.
    """
    if any(is_sharded(tensor) and _awaits_sum(tensor) for tensor in tensors):
        return None
    widest = len(ranks_of_parts(tensors))
    norms = [norm / _copies(tensor, widest) ** 0.5 for norm, tensor in zip(each_norm(tensors), tensors, strict=True)]
    return total(norms)


def ranks_of_parts(tensors: Sequence[Tensor]) -> tuple[int, ...]:
    """The ranks of the widest mesh among sharded tensors; none where no tensor is sharded."""
    meshes = [tensor.device_mesh for tensor in tensors if is_sharded(tensor)]  # type: ignore[attr-defined]
    widest = max(meshes, key=lambda mesh: int(mesh.size()), default=None)
    return () if widest is None else tuple(widest.mesh.flatten().tolist())


def _copies(tensor: Tensor, widest: int) -> float:
    """On how many of the widest mesh's ranks a tensor's values on this rank lie."""
    if not is_sharded(tensor):
        return float(widest)
    split = prod(tensor.device_mesh.size(dimension) for dimension in _split_along(tensor))  # type: ignore[attr-defined]
    return widest / split


def _awaits_sum(tensor: Tensor) -> bool:
    return any(placement.is_partial() for placement in tensor.placements)  # type: ignore[attr-defined]


@torch.no_grad()
def to_global(norms: Sequence[Tensor], tensors: Sequence[Tensor]) -> list[Tensor]:
    """The norm of each tensor over all its shards, from the norm of this rank's part: ‖g‖² = Σ_ranks ‖g_rank‖².

    Tensors split along the same dimensions of the same mesh share one all-reduce a dimension; others pass through.
    Every rank of a mesh must call it. Raises ValueError for a tensor that still awaits its sum over ranks.
    """
    whole = list(norms)
    alike: dict[tuple[Any, tuple[int, ...]], list[int]] = defaultdict(list)
    for index, tensor in enumerate(tensors):
        if is_sharded(tensor) and (split := _split_along(tensor)):
            alike[tensor.device_mesh, split].append(index)  # type: ignore[attr-defined]
    for (mesh, split), indices in alike.items():
        squares = torch.stack([norms[i] for i in indices]).double().square()
        for dimension in split:
            torch.distributed.all_reduce(squares, group=mesh.get_group(dimension))
        for index, norm in zip(indices, squares.sqrt().unbind(), strict=True):
            whole[index] = norm.to(norms[index].dtype)
    return whole


def _split_along(tensor: Tensor) -> tuple[int, ...]:
    """The dimensions of its mesh along which a DTensor is split."""
    placements = tensor.placements  # type: ignore[attr-defined]
    if _awaits_sum(tensor):
        raise ValueError(
            f"gradients: expected whole or split ones, got the placements {placements}; redistribute them first, "
            "for a part of a sum has no norm of its own"
        )
    return tuple(dimension for dimension, placement in enumerate(placements) if not placement.is_replicate())


def to_host(values: Sequence[Tensor]) -> list[float]:
    """Many 0-d tensors as floats, with one transfer per device."""
    host: list[float] = [0.0] * len(values)
    by_device: dict[torch.device, list[int]] = defaultdict(list)
    for index, value in enumerate(values):
        by_device[value.device].append(index)
    for indices in by_device.values():
        for index, number in zip(indices, torch.stack([values[i] for i in indices]).double().tolist(), strict=True):
            host[index] = number
    return host

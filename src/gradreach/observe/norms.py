"""Norms of many tensors in one fused pass, right for sharded, sparse and half-precision gradients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor


def to_global(norm: Tensor) -> Tensor:
    """The norm over all shards: a DTensor's own is silently the local shard's unless it is gathered."""
    gather = getattr(norm, "full_tensor", None)
    return cast(Tensor, gather()) if gather is not None else norm


def dense(gradient: Tensor) -> Tensor:
    """A gradient's values: of a sparse one those that are stored, summed over repeated indices."""
    return gradient.detach().coalesce().values() if gradient.is_sparse else gradient.detach()


def each_norm(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The 2-norm of each tensor, 0-d on the tensor's own device; half precision is widened before the sum."""
    wide = [t.float() if t.dtype in (torch.float16, torch.bfloat16) else t for t in map(dense, tensors)]
    return [to_global(norm) for norm in torch._foreach_norm(wide)] if wide else []


def global_norm(tensors: Iterable[Tensor]) -> Tensor | None:
    """The 2-norm over all tensors together, 0-d on the first tensor's device; None where there is none."""
    by_device: dict[torch.device, list[Tensor]] = defaultdict(list)
    for tensor in tensors:
        by_device[tensor.device].append(tensor)
    parts: list[Tensor] = [torch.linalg.vector_norm(torch.stack(each_norm(group))) for group in by_device.values()]
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0]
    return cast(Tensor, torch.linalg.vector_norm(torch.stack([part.to(parts[0].device) for part in parts])))


def to_host(values: Sequence[Tensor]) -> list[float]:
    """Many 0-d tensors as floats, with one transfer per device."""
    host: list[float] = [0.0] * len(values)
    by_device: dict[torch.device, list[int]] = defaultdict(list)
    for index, value in enumerate(values):
        by_device[value.device].append(index)
    for indices in by_device.values():
        for index, number in zip(indices, torch.stack([values[i].double() for i in indices]).tolist(), strict=True):
            host[index] = number
    return host


class Later:
    """A 0-d tensor on its way to the host without holding up the device: ask `ready`, then `value`."""

    __slots__ = ("_copy", "_event")

    def __init__(self, tensor: Tensor) -> None:
        tensor = tensor.detach()
        self._event: torch.cuda.Event | None = None
        if tensor.device.type == "cuda":
            self._copy = torch.empty_like(tensor, device="cpu", pin_memory=True)
            self._copy.copy_(tensor, non_blocking=True)
            self._event = torch.cuda.Event()
            self._event.record()
        else:
            self._copy = tensor

    def ready(self) -> bool:
        """Whether the value is there without waiting."""
        return self._event is None or self._event.query()

    def value(self) -> float:
        """The number; waits for it where it is not ready."""
        if self._event is not None:
            self._event.synchronize()
        return float(self._copy)

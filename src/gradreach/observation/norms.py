"""Norms of many tensors in one fused pass, right for sparse and half-precision gradients, local for sharded ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

_HALF = (torch.float16, torch.bfloat16)


def is_sharded(tensor: Tensor) -> bool:
    """Whether a tensor's values lie on several ranks (a DTensor of FSDP2 or tensor parallelism)."""
    return hasattr(tensor, "to_local")


def values(gradient: Tensor) -> Tensor:
    """A gradient's numbers, half precision widened: of a sparse one those that are stored, repeated indices summed.

    Of a sharded one this rank's own: ranks look at different steps, so a collective here could hang the training.
    """
    if is_sharded(gradient):
        gradient = gradient.to_local()  # type: ignore[attr-defined]
    if gradient.is_sparse:
        gradient = gradient.coalesce().values()
    return gradient.float() if gradient.dtype in _HALF else gradient


@torch.no_grad()
def each_norm(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The 2-norm of each tensor, 0-d on the tensor's own device."""
    return list(torch._foreach_norm([values(t) for t in tensors])) if tensors else []


@torch.no_grad()
def global_norm(tensors: Sequence[Tensor]) -> Tensor | None:
    """The 2-norm over all tensors together, 0-d on the first tensor's device; None where there is none."""
    norms = each_norm(tensors)
    if not norms:
        return None
    if any(norm.device != norms[0].device for norm in norms):
        norms = [norm.to(norms[0].device) for norm in norms]
    return cast(Tensor, torch.linalg.vector_norm(torch.stack(norms)))


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
    """A 0-d tensor on its way to the host without holding up the device."""

    __slots__ = ("_copy", "_event")

    def __init__(self, tensor: Tensor) -> None:
        self._copy = torch.empty_like(tensor, device="cpu", pin_memory=True)
        self._copy.copy_(tensor, non_blocking=True)
        self._event = torch.cuda.Event()
        self._event.record()

    def value(self) -> float:
        """The number; waits for it where it is not there yet."""
        self._event.synchronize()
        return float(self._copy)


Number = float | Later


def number(tensor: Tensor) -> Number:
    """A one-element tensor as a number: at once from the host's memory, later from a GPU's."""
    return Later(tensor.detach().reshape(())) if tensor.device.type == "cuda" else float(tensor.detach())


def settled(value: Number | None) -> float | None:
    """The float itself."""
    return value.value() if isinstance(value, Later) else value

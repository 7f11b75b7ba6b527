"""Numbers on their way from the device to the host, without holding up the device."""

from __future__ import annotations

import torch
from torch import Tensor

from gradreach.engine.norms import is_sharded, is_whole, local
from gradreach.watch.tensors import is_dense


class PendingNumber:
    """A 0-d tensor on its way to the host."""

    __slots__ = ("_copy", "_event")

    def __init__(self, tensor: Tensor) -> None:
        self._copy = torch.empty_like(tensor, device="cpu", pin_memory=True)
        self._copy.copy_(tensor, non_blocking=True)
        self._event = torch.cuda.Event()
        self._event.record()

    def value(self) -> float:
        """The number. Waits for it where it has not arrived yet."""
        self._event.synchronize()
        return float(self._copy)


Number = float | PendingNumber


def number(value: Tensor | float) -> Number | None:
    """A one-element tensor as a number: at once from the host's memory, later from a GPU's. A float stays as it is.

    None for a tensor that has no real number of its own to be read: complex, fake, a part of a sum over ranks.
    """
    if not isinstance(value, Tensor):
        return value
    if is_sharded(value) and is_whole(value):
        value = local(value)
    if value.is_complex() or not is_dense(value):
        return None
    return PendingNumber(value.detach().reshape(())) if value.device.type == "cuda" else float(value.detach())


def settled(value: Number | None) -> float | None:
    """The float itself."""
    return value.value() if isinstance(value, PendingNumber) else value

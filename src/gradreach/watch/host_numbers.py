"""Norms on their way to the host, without holding up the device."""

from __future__ import annotations

import torch
from torch import Tensor


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

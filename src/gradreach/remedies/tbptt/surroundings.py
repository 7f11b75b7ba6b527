"""Under what a forward pass runs: autocast, and generators of random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from gradreach.remedies.tbptt.trees import drawing_apart


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The autocast under which a forward pass ran, and where its random numbers are drawn."""

    devices: tuple[torch.device, ...]
    casts: tuple[tuple[str, bool, torch.dtype], ...]
    cached: bool

    @staticmethod
    def of(x: Any) -> Surroundings:
        devices = tuple(dict.fromkeys((torch.device("cpu"), tree_leaves(x)[0].device)))
        kinds = [device.type for device in devices]
        casts = tuple((kind, torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in kinds)
        return Surroundings(devices, casts, torch.is_autocast_cache_enabled())

    @contextmanager
    def cast(self) -> Iterator[None]:
        """Within it operations are cast as they were; casts of weights go neither in nor out with their graph."""
        with ExitStack() as stack:
            if any(enabled for _, enabled, _ in self.casts):
                torch.clear_autocast_cache()
                stack.callback(torch.clear_autocast_cache)
            for kind, enabled, dtype in self.casts:
                stack.enter_context(torch.autocast(kind, dtype, enabled, self.cached))
            yield

    def draws(self) -> tuple[Tensor, ...]:
        """The states of the generators."""
        return tuple(_drawn(device) for device in self.devices)

    @contextmanager
    def drawing(self, draws: tuple[Tensor, ...]) -> Iterator[None]:
        """Within it random numbers are drawn from there on; afterwards the generators are what they were."""
        with drawing_apart(self.devices[-1]):
            for device, draw in zip(self.devices, draws, strict=True):
                _draw_from(device, draw)
            yield


def _drawn(device: torch.device) -> Tensor:
    if device.type == "cpu":
        return torch.get_rng_state()
    state: Tensor = torch.get_device_module(device).get_rng_state(device)
    return state


def _draw_from(device: torch.device, draw: Tensor) -> None:
    if device.type == "cpu":
        torch.set_rng_state(draw)
    else:
        torch.get_device_module(device).set_rng_state(draw, device)

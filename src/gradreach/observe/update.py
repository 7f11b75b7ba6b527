"""How far the weights moved after a watched step, whoever moved them: an optimizer object or a loop by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from gradreach.observe.models import Models, own_parameters
from gradreach.observe.norms import each_norm, to_host
from gradreach.record.schema import DepthLook, Look

MOST_ELEMENTS = 1 << 20
"""Of a larger parameter an evenly spaced sample of this size stands for the whole in ‖Δw‖ / ‖w‖."""

MOST_PASSES = 64
"""Backward passes after which a step without any update (evaluation, accumulation) is let go."""


class Update:
    """The weights as they stood at the end of a watched step; compared when the same place calls backward again."""

    @torch.no_grad()
    def __init__(self, models: Models, modules: Sequence[nn.Module], look: Look) -> None:
        self.look = look
        self._passes = 0
        self._owners = [(models.path(module), parameter) for module in modules for parameter in own_parameters(module)]
        self._before = [_sample(parameter).clone() for _, parameter in self._owners]

    def due(self, site: int) -> bool:
        """Count one more backward pass; whether the update must have happened by now."""
        self._passes += 1
        return site == self.look.site or self._passes >= MOST_PASSES

    @torch.no_grad()
    def settle(self) -> Look:
        """The look with its update ratios and the global norm ‖Δw‖; as it was where nothing moved."""
        now = [_sample(parameter) for _, parameter in self._owners]
        same = all(a.shape == b.shape and a.device == b.device for a, b in zip(now, self._before, strict=True))
        if not now or not same:
            return self.look
        moved = to_host(each_norm([a - b for a, b in zip(now, self._before, strict=True)]))
        if not any(moved):
            return self.look
        sizes = to_host(each_norm(self._before))
        squares: dict[str, tuple[float, float]] = {}
        for (path, _), change, size in zip(self._owners, moved, sizes, strict=True):
            before = squares.get(path, (0.0, 0.0))
            squares[path] = (before[0] + change * change, before[1] + size * size)
        depth = tuple(_with_ratio(module, squares.get(module.module)) for module in self.look.depth)
        whole = sum((change * _scale(p)) ** 2 for (_, p), change in zip(self._owners, moved, strict=True)) ** 0.5
        return replace(self.look, depth=depth, update=whole)


def _sample(parameter: Tensor) -> Tensor:
    local = parameter.to_local() if hasattr(parameter, "to_local") else parameter
    flat = local.detach().reshape(-1)
    stride = _stride(flat.numel())
    return flat[::stride]


def _stride(elements: int) -> int:
    return max(1, -(-elements // MOST_ELEMENTS))


def _scale(parameter: Tensor) -> float:
    return float(_stride(parameter.numel()) ** 0.5)


def _with_ratio(look: DepthLook, squares: tuple[float, float] | None) -> DepthLook:
    if squares is None or squares[1] <= 0.0:
        return look
    return replace(look, update_ratio=(squares[0] / squares[1]) ** 0.5)

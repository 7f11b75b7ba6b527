"""How far the weights moved after a watched step, whoever moved them: an optimizer object or a loop by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from gradreach.engine.norms import each_norm, local, to_host
from gradreach.record.look import Look
from gradreach.record.seen.depth import DepthLook
from gradreach.watch.models import Models, own_parameters
from gradreach.watch.tensors import is_measurable

MOST_ELEMENTS = 1 << 20
"""Of a larger parameter an evenly spaced sample of this size stands for the whole in ‖Δw‖ / ‖w‖."""

MOST_PASSES = 8
"""Backward passes in a row that are compared with a watched step, until its update is seen or let go."""


class Update:
    """A look, and the weights as they stood at its end, which are compared at the backward passes that follow."""

    @torch.no_grad()
    def __init__(self, models: Models, modules: Sequence[nn.Module], look: Look) -> None:
        self.look = look
        self._passes = 0
        self._idle_roots: frozenset[str] = frozenset()
        self._owners = [(models.path(module), p) for module in modules for p in own_parameters(module) if _is_told(p)]
        self._before = [sample(parameter).clone() for _, parameter in self._owners]

    @torch.no_grad()
    def settled(self, site: int | None) -> bool:
        """Whether the weights have moved, or no update is to be waited for any more; `site` is None where the run ends.

        A model none of whose weights moved while another's did only passed the gradient on, as a GAN's critic does in
        the generator's step: `idle` then holds its parameters, whose gradients are no part of this step.
        """
        moved = self._moved()
        self._passes += 1
        if moved is not None and any(moved):
            self.look = self._with_update(moved)
            return True
        return moved is None or site is None or site == self.look.site or self._passes >= MOST_PASSES

    @property
    def idle(self) -> frozenset[int]:
        """Identities of the parameters of models that this step did not train."""
        return frozenset(id(parameter) for path, parameter in self._owners if _root(path) in self._idle_roots)

    def _moved(self) -> list[float] | None:
        """‖Δw‖ of each parameter; None where they cannot be compared any more."""
        if not all(_is_told(parameter) for _, parameter in self._owners):
            return None
        now = [sample(parameter) for _, parameter in self._owners]
        same = all(a.shape == b.shape and a.device == b.device for a, b in zip(now, self._before, strict=True))
        if not now or not same:
            return None
        return to_host(each_norm([a - b for a, b in zip(now, self._before, strict=True)]))

    def _with_update(self, moved: Sequence[float]) -> Look:
        sizes = to_host(each_norm(self._before))
        squares: dict[str, tuple[float, float]] = {}
        for (path, _), change, size in zip(self._owners, moved, sizes, strict=True):
            before = squares.get(path, (0.0, 0.0))
            squares[path] = (before[0] + change * change, before[1] + size * size)
        trained = {_root(path) for path, (change, _) in squares.items() if change > 0.0}
        self._idle_roots = frozenset(_root(path) for path in squares) - trained
        depth = tuple(
            replace(module, weight_grad_norm=None)
            if _root(module.module) in self._idle_roots
            else _with_ratio(module, squares.get(module.module))
            for module in self.look.depth
        )
        whole = sum((change * scale(p)) ** 2 for (_, p), change in zip(self._owners, moved, strict=True)) ** 0.5
        return replace(self.look, depth=depth, update=whole)


def _root(path: str) -> str:
    return path.partition(".")[0]


def _is_told(parameter: Tensor) -> bool:
    """Whether a parameter's numbers can be compared: not those of a sparse one, whose places may change."""
    return parameter.layout == torch.strided and is_measurable(parameter)


def sample(parameter: Tensor) -> Tensor:
    """The numbers that stand for a parameter, in its own memory where it is contiguous."""
    flat = local(parameter).reshape(-1)
    stride = _stride(flat.numel())
    return flat[::stride]


def _stride(elements: int) -> int:
    return max(1, -(-elements // MOST_ELEMENTS))


def scale(parameter: Tensor) -> float:
    """How many times as large as its sample's a parameter's norm is."""
    return float(_stride(parameter.numel()) ** 0.5)


def _with_ratio(look: DepthLook, squares: tuple[float, float] | None) -> DepthLook:
    if squares is None or squares[1] <= 0.0:
        return look
    return replace(look, update_ratio=(squares[0] / squares[1]) ** 0.5)

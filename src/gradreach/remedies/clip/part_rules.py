"""Rules that bound parts of a gradient and so change its direction: each number, each tensor, or each unit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from gradreach.engine.norms import HALF, is_sharded, to_global, to_host, values
from gradreach.remedies.arguments import check_positive
from gradreach.remedies.clip.scalar import on_host


class GradientNorms(NamedTuple):
    """Parameters, their gradients, the norm of each gradient over all its shards, and the global norm."""

    parameters: list[Tensor]
    gradients: list[Tensor]
    norms: list[Tensor]
    norm: Tensor


@runtime_checkable
class PartRule(Protocol):
    """A rule that bounds each part of the gradient by itself."""

    @property
    def threshold(self) -> int | float: ...

    def cut(self, found: GradientNorms, factor: int | float) -> bool | Tensor:
        """Clip in place with `factor` times the threshold, and return whether any gradient was clipped.

        On a GPU a global norm that is not finite must leave all as it is; on a CPU the rule is not called then.
        """


@dataclass(frozen=True, slots=True)
class Value:
    """Every number of the gradient is brought into [−threshold, threshold]."""

    threshold: int | float

    def __post_init__(self) -> None:
        check_positive(threshold=self.threshold)

    def cut(self, found: GradientNorms, factor: int | float) -> bool | Tensor:
        numbers = [each for gradient in found.gradients if (each := values(gradient)).numel()]
        if any(each.is_complex() for each in numbers):
            raise TypeError("rule: Value cannot bound a complex gradient, whose numbers have no order; use Norm")
        limit, device = self.threshold * factor, found.norm.device
        if not numbers:  # all of them are on other ranks
            return False
        ends = [end for each in numbers for end in torch.aminmax(each)]  # far faster than the ∞-norm
        if all(on_host(end.device) for end in ends):
            over = bool(torch.stack(ends).abs_().amax() > limit)
            if over:
                torch._foreach_clamp_max_(numbers, limit)
                torch._foreach_clamp_min_(numbers, -limit)
            return over
        bound = torch.where(found.norm.isfinite(), limit, math.inf)
        for each in numbers:
            here = bound.to(each.device, each.dtype)
            each.clamp_(-here, here)
        return torch.stack([end.to(device, torch.float32) for end in ends]).abs_().amax() > bound


@dataclass(frozen=True, slots=True)
class PerLayer:
    """Each parameter's gradient is clipped by its own norm: g_i ← g_i · threshold / ‖g_i‖ where ‖g_i‖ > threshold."""

    threshold: int | float = 1.0

    def __post_init__(self) -> None:
        check_positive(threshold=self.threshold)

    def cut(self, found: GradientNorms, factor: int | float) -> bool | Tensor:
        limit, device = self.threshold * factor, found.norm.device
        if all(on_host(norm.device) for norm in found.norms):
            sizes = zip(found.gradients, to_host(found.norms), strict=True)
            long = [(gradient, size) for gradient, size in sizes if size > limit]
            for gradient, size in long:
                values(gradient).mul_(limit / size)
            return bool(long)
        sound = found.norm.isfinite()
        over = [sound.to(norm.device) & (norm > limit) for norm in found.norms]
        for gradient, norm, longer in zip(found.gradients, found.norms, over, strict=True):
            values(gradient).mul_(torch.where(longer, limit / norm, 1.0))
        return torch.stack([longer.to(device) for longer in over]).any()


@dataclass(frozen=True, slots=True)
class Adaptive:
    """Adaptive gradient clipping (AGC, Brock et al. 2021, eq. 3): each unit is clipped by its weights' norm.

    G_i ← G_i · threshold · ‖W_i‖* / ‖G_i‖ where ‖G_i‖ > threshold · ‖W_i‖*, with ‖W_i‖* = max(‖W_i‖, eps). A unit is
    what feeds one output: a row of a matrix, a filter of a convolution, or the whole of a parameter with one dimension
    or none. The paper leaves the last linear layer alone: give Clip the parameters without it.
    """

    threshold: float = 0.01
    eps: float = 1e-3

    def __post_init__(self) -> None:
        check_positive(threshold=self.threshold, eps=self.eps)

    def cut(self, found: GradientNorms, factor: int | float) -> bool | Tensor:
        limit, sound = self.threshold * factor, found.norm.isfinite()
        clipped = []
        of_weights, of_gradients = _unit_norms(_weights(found)), _unit_norms(found.gradients)
        for gradient, of_weight, of_gradient in zip(found.gradients, of_weights, of_gradients, strict=True):
            allowed = limit * of_weight.clamp(min=self.eps)
            over = (of_gradient > allowed) & sound.to(of_gradient.device)
            clipped.append(over.any().to(sound.device))
            if not on_host(over.device) or clipped[-1]:
                values(gradient).mul_(torch.where(over, allowed / of_gradient, 1.0))
        return torch.stack(clipped).any()


def _weights(found: GradientNorms) -> list[Tensor]:
    """The weights that the gradients belong to; for a sparse gradient these are the rows that it has."""
    pairs = zip(found.parameters, found.gradients, strict=True)
    return [p.detach()[g.indices()[0]] if g.is_sparse else p.detach() for p, g in pairs]


def _unit_norms(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The norm of each unit, shaped to multiply the tensor's own numbers; it is float32 for half precision."""
    norms, single = [], []
    for index, tensor in enumerate(tensors):
        numbers = values(tensor)
        wide = torch.float32 if numbers.dtype in HALF else None
        if numbers.dim() > 1:
            _refuse_split_units(tensor)
            inputs = tuple(range(1, numbers.dim()))
            norms.append(torch.linalg.vector_norm(numbers, dim=inputs, keepdim=True, dtype=wide))
        else:
            norms.append(torch.linalg.vector_norm(numbers, dtype=wide))
            single.append(index)
    whole = to_global([norms[i] for i in single], [tensors[i] for i in single])
    for index, norm in zip(single, whole, strict=True):
        norms[index] = norm
    return norms


def _refuse_split_units(tensor: Tensor) -> None:
    placements = getattr(tensor, "placements", ()) if is_sharded(tensor) else ()
    if any(placement.is_shard() and placement.dim != 0 for placement in placements):
        raise ValueError(
            f"rule: Adaptive needs whole units, got a parameter with the placements {placements}; "
            "split it along dimension 0 alone, or use PerLayer"
        )

"""How all ranks come to the same decision; without torch.distributed there is one."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


class Ranks:
    """The processes that train together: the default group of torch.distributed where it is initialised."""

    def __init__(self) -> None:
        together = dist.is_available() and dist.is_initialized()
        self.count = dist.get_world_size() if together else 1
        self.rank = dist.get_rank() if together else 0

    def greatest(self, figures: Sequence[Tensor]) -> list[float]:
        """Each 0-d figure's greatest value over all ranks, and nan where it is not finite on one of them.

        It takes one all-reduce and one transfer to the host.
        """
        figures = [f.full_tensor() if hasattr(f, "full_tensor") else f for f in figures]
        device = figures[0].device
        if self.count == 1 and all(f.device.type == "cpu" for f in figures):
            return [float(f) for f in figures]
        wide = torch.float32 if device.type == "mps" else torch.float64
        values = torch.stack([f.to(device, wide) for f in figures])
        if self.count == 1:
            return values.tolist()
        finite = values.isfinite()
        packed = torch.cat([torch.where(finite, values, -torch.inf), (~finite).to(wide)])
        dist.all_reduce(packed, dist.ReduceOp.MAX)
        greatest, bad = packed.view(2, -1).tolist()
        return [nan if not_finite else value for value, not_finite in zip(greatest, bad, strict=True)]

    def any(self, here: bool) -> bool:
        """Whether something holds on any rank."""
        return any(self._gathered(here))

    def newest_common(self, steps: Sequence[int]) -> int | None:
        """The last of the steps that every rank has, None where there is none."""
        return max(set(steps).intersection(*self._gathered(steps)), default=None)

    def _gathered(self, own: Any) -> list[Any]:
        """What every rank has."""
        every = [own] * self.count
        if self.count > 1:
            dist.all_gather_object(every, own)
        return every

"""A backward pass as most of them are, which is told at a glance: most of what a step costs is to make sure of this."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import CodeType, FrameType

import torch
from torch import Tensor


class OrdinaryPass:
    """Knows the lines of one piece of the script's code that call backward, and how far down the stack they stand.

    A pass from there is ordinary where it starts from one finite loss of torch's own class in the host's memory, and
    nothing of the script listens to torch's operations, so that reading a number needs no fence around it.
    """

    def __init__(self) -> None:
        self._code: CodeType | None = None
        self._sites: dict[int, int] = {}
        self._depth = 0

    def learn(self, ours: FrameType, frame: FrameType | None, site: int) -> None:
        """Take in that the script called backward in `frame`, from which our own frame was reached."""
        if frame is None:
            return
        if frame.f_code is not self._code:
            self._code = frame.f_code
            self._sites.clear()
        self._sites[frame.f_lineno] = site
        self._depth = 0
        below: FrameType | None = ours
        while below is not None and below is not frame:
            below = below.f_back
            self._depth += 1

    def site_and_loss(self, ours: FrameType, losses: Sequence[Tensor]) -> tuple[int, float] | None:
        """The line's number and the loss, of an ordinary pass."""
        if _is_listened_to() or len(losses) != 1 or type(losses[0]) is not Tensor or not losses[0].is_cpu:
            return None
        try:
            frame, loss = ours, losses[0].item()
            for _ in range(self._depth):
                frame = frame.f_back  # type: ignore[assignment]
            site = self._sites.get(frame.f_lineno) if frame.f_code is self._code else None
            return (site, loss) if site is not None and math.isfinite(loss) else None
        except Exception:
            return None


def is_sound(gradient: Tensor | None) -> bool:
    """Whether a gradient, after an ordinary pass, is seen at a glance to be finite."""
    if _is_listened_to() or type(gradient) is not Tensor or not gradient.is_cpu or gradient.requires_grad:
        return False
    try:
        return math.isfinite(gradient.sum().item())
    except Exception:
        return False


def _is_listened_to() -> bool:
    return bool(torch._C._len_torch_function_stack() or torch._C._len_torch_dispatch_stack())

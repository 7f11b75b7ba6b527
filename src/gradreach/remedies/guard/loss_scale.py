"""A GradScaler around a step that may be skipped by someone else than the scaler."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.amp.grad_scaler import OptState


class LossScale:
    """Scales up, scales down, steps. Where there is no scaler, or one that is not enabled, it steps only."""

    def __init__(self, scaler: Any, optimizer: torch.optim.Optimizer) -> None:
        self._scaler = scaler if scaler is not None and scaler.is_enabled() else None
        self._optimizer = optimizer
        self._left = False
        self._overflowed = False
        self._owed = False

    def up(self, loss: Tensor) -> Tensor:
        """The loss to go backward from."""
        return loss if self._scaler is None else self._scaler.scale(loss)

    def down(self) -> None:
        """Unscale the gradients, unless the loop has done so."""
        if self._scaler is None:
            return
        states = self._scaler._per_optimizer_states
        unanswered = self._left and states[id(self._optimizer)]["stage"] is OptState.UNSCALED
        if unanswered:
            del states[id(self._optimizer)]
        self._owed = unanswered and self._overflowed
        self._left = False
        if states[id(self._optimizer)]["stage"] is not OptState.UNSCALED:
            self._scaler.unscale_(self._optimizer)

    def can_fall(self) -> bool:
        """Whether the scale is above 1, so that a gradient that is not finite may be its doing alone."""
        return self._scaler is not None and self._scaler.get_scale() > 1.0

    def step(self) -> None:
        """The optimizer's step."""
        if self._scaler is None:
            self._optimizer.step()
        else:
            self._scaler.step(self._optimizer)
            self._scaler.update()

    def leave(self, overflow: bool) -> None:
        """After a skipped step: this optimizer stands as one with nothing to do, whose gradients overflowed or not.

        Scale and other optimizers stay as they are: the loop's scaler.update() makes the scale fall. Of a loop that
        has not called it since the last overflow, the next one shows that it never will: then the scale falls here.
        """
        if self._scaler is None:
            return
        device = self._optimizer.param_groups[0]["params"][0].device
        found = {device: torch.full((), float(overflow), device=device)}
        states = self._scaler._per_optimizer_states
        states[id(self._optimizer)] = {"stage": OptState.UNSCALED, "found_inf_per_device": found}
        if overflow and self._owed:
            self._scaler.update(self._scaler.get_scale() * self._scaler.get_backoff_factor())
            self._scaler._per_optimizer_states = states
        self._left, self._overflowed = True, overflow

    def close(self) -> None:
        """After `leave`, where the loop is not to update: the scale falls by an overflow, and else stays."""
        if self._scaler is not None:
            self._scaler.update(None if self._overflowed else self._scaler.get_scale())

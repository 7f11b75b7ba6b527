"""A GradScaler around a step that someone else than the scaler may skip."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.amp.grad_scaler import OptState


class LossScale:
    """Scales the loss up, the gradients down, and steps. Without an enabled scaler it steps only."""

    def __init__(self, scaler: Any, optimizer: torch.optim.Optimizer) -> None:
        self._scaler = scaler if scaler is not None and scaler.is_enabled() else None
        self._optimizer = optimizer
        self._left = False
        self._overflowed = False
        self._owed = False

    def up(self, loss: Tensor) -> Tensor:
        """The loss that backward is to start from."""
        return loss if self._scaler is None else self._scaler.scale(loss)

    def down(self) -> None:
        """Unscale the gradients where the loop has not done so."""
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
        """Tell the scaler, after a skipped step, that this optimizer has nothing to do, and whether it overflowed.

        The scale and other optimizers stay as they are, since the loop's scaler.update() makes the scale fall. A loop
        that has not called it between two overflows never will, and then the scale falls here.
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
        """Update after `leave`, where the loop does not: the scale falls after an overflow, and else stays."""
        if self._scaler is not None:
            self._scaler.update(None if self._overflowed else self._scaler.get_scale())

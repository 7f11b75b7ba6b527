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

    def up(self, loss: Tensor) -> Tensor:
        """The loss to go backward from."""
        return loss if self._scaler is None else self._scaler.scale(loss)

    def down(self) -> None:
        """Unscale the gradients, unless the loop has done so."""
        if self._scaler is None:
            return
        states = self._scaler._per_optimizer_states
        if self._left and states[id(self._optimizer)]["stage"] is OptState.UNSCALED:
            del states[id(self._optimizer)]
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

    def settle(self, overflow: bool) -> None:
        """After a skipped step: the scale falls where it overflowed, and stays where the step was bad otherwise.

        A loop that calls scaler.step and scaler.update all the same finds an optimizer with nothing to do.
        """
        if self._scaler is None:
            return
        scale = self._scaler.get_scale()
        if overflow:
            self._scaler.update()
            if self._scaler.get_scale() >= scale:  # finite gradients whose norm overflows: not seen by the scaler
                self._scaler.update(scale * self._scaler.get_backoff_factor())
        else:
            self._scaler.update(scale)
        device = self._optimizer.param_groups[0]["params"][0].device
        found = {device: torch.zeros((), device=device)}
        self._scaler._per_optimizer_states[id(self._optimizer)] = {
            "stage": OptState.UNSCALED,
            "found_inf_per_device": found,
        }
        self._left = True

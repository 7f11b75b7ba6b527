"""How far a model's own loss reaches back: the reach map of a recurrent layer for the errors that a loss sends it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gradreach.engine.reach import Reach, reach
from gradreach.tasks.models import Recurrent


def loss_reach(model: Recurrent, x: Tensor, loss: Callable[[Tensor], Tensor]) -> Reach:
    """Return the reach of `loss`, a function of what the model says at every step, on inputs (N, T) or (N, T, f)."""
    output = model.carry(x, None)[0].detach().requires_grad_()
    (local_error,) = torch.autograd.grad(loss(model.head(output)), output)
    return reach(model.body, x if model.embed is None else model.embed(x), local_error, anchors="all")

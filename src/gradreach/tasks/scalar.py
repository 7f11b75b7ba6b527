"""The scalar-state RNN: one unit, two parameters, no input but its first state."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from gradreach.tasks.task import Batch, Task

FIRST, GOAL, STEPS = 0.5, 0.7, 50


def unrolled(w: Tensor, b: Tensor, h: Tensor, steps: int) -> Tensor:
    """h_T of h_{t+1} = w σ(h_t) + b, σ the logistic function, for every (w, b, h) that is broadcast together."""
    for _ in range(steps):
        h = w * torch.sigmoid(h) + b
    return h


class OneUnit(nn.Module):
    """h_0 (N, 1) → σ(h_T) (N, 1), in the dtype of `w`."""

    def __init__(self, w: float, b: float, steps: int, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.steps = steps
        self.w = nn.Parameter(torch.tensor(w, dtype=dtype))
        self.b = nn.Parameter(torch.tensor(b, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(unrolled(self.w, self.b, x.to(self.w), self.steps))


def one_unit(_task: Task, w: float = 5.2, b: float = -2.3) -> OneUnit:
    """The unit of `scalar`, above the wall where nothing else is said."""
    return OneUnit(w, b, STEPS)


def scalar() -> Task:
    """One unit is to stand at 0.7 after 50 steps: the smallest loss with a wall.

    Pascanu, Mikolov and Bengio 2013, section 2.3 and figure 6. Every sample is the same: h_0 = 0.5 and the goal.
    `chance` is the error at w = b = 0, where the unit says 0.5 whatever comes. Learned at 1e-4.
    """

    def draw(N: int, _g: Generator) -> Batch:
        return Batch(torch.full((N, 1), FIRST), torch.full((N, 1), GOAL))

    return Task(
        f"scalar, T {STEPS}",
        draw,
        draw,
        outputs=1,
        loss=F.mse_loss,
        error=F.mse_loss,
        chance=(GOAL - 0.5) ** 2,
        solved=1e-4,
    )

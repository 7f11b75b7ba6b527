# expect: {"code": null}
"""Reptile: each task takes a new Adam for five steps from the common start; then each short epoch takes one."""

import copy

import torch
from torch import Tensor, nn

torch.manual_seed(0)
learner = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))


def fit(steps: int, height: float, rate: float) -> None:
    optimizer = torch.optim.Adam(learner.parameters(), rate)
    for _ in range(steps):
        x = torch.randn(32, 2)
        loss = nn.functional.mse_loss(learner(x)[:, 0], torch.sin(x[:, 0]) + height * x[:, 1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def moved(start: Tensor, end: Tensor) -> Tensor:
    return start + 0.3 * (end - start)


for task in range(40):
    start = copy.deepcopy(learner.state_dict())
    fit(5, height=1 + 0.1 * (task % 3), rate=5e-3)
    learner.load_state_dict({name: moved(start[name], end) for name, end in learner.state_dict().items()})
for _ in range(60):
    fit(2, height=1, rate=3e-3)

# expect: {"code": "GR309", "severity": "error", "module": "student.2"}
"""A second model is trained after the first, by an optimizer that was given the first one's parameters again."""

import torch
from torch import nn

torch.manual_seed(0)


def regressor() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))


x = torch.randn(256, 6)
y = torch.sin(x.sum(1, keepdim=True))
teacher = regressor()
optimizer = torch.optim.Adam(teacher.parameters(), 5e-3)
for _ in range(150):
    loss = nn.functional.mse_loss(teacher(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

student = regressor()
optimizer = torch.optim.Adam(teacher.parameters(), 5e-3)
for _ in range(150):
    loss = nn.functional.mse_loss(student(x), teacher(x).detach())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

"""Learn a step size and a start for gradient descent through its own steps: each solves a small regression anew."""

import sys

import torch
from torch import nn

torch.manual_seed(5)
INNER, ROWS, WIDTH, STEPS = 12, 16, 6, 150


class Learner(nn.Module):
    def __init__(self):
        super().__init__()
        self.start = nn.Parameter(torch.randn(WIDTH))
        self.log_rate = nn.Parameter(torch.tensor(-3.0))

    def forward(self, x, y):
        w = self.start.expand(len(x), WIDTH)
        for _ in range(INNER):
            residual = torch.einsum("trw,tw->tr", x, w) - y
            w = w - self.log_rate.exp() * torch.einsum("trw,tr->tw", x, residual) / ROWS
        return w


model = Learner()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
for step in range(STEPS):
    truth = 1.0 + 0.3 * torch.randn(20, WIDTH)
    x = torch.randn(20, ROWS, WIDTH)
    y = torch.einsum("trw,tw->tr", x, truth)
    loss = (model(x, y) - truth).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 30 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.4f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

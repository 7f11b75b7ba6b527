"""Which of two rings does a point lie on? A layer whose output is the state that one tied step settles in."""

import sys

import torch
from torch import nn

torch.manual_seed(6)
BATCH, WIDTH, ROUNDS, STEPS = 128, 24, 25, 200


class Settled(nn.Module):
    def __init__(self):
        super().__init__()
        self.given, self.tied = nn.Linear(2, WIDTH), nn.Parameter(0.3 * torch.randn(WIDTH, WIDTH) / WIDTH**0.5)
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, x):
        z = torch.zeros(len(x), WIDTH)
        for _ in range(ROUNDS):
            z = torch.tanh(self.given(x) + z @ self.tied)
        return self.head(z)[:, 0]


model = Settled()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for step in range(STEPS):
    outer = torch.rand(BATCH) < 0.5
    angle, radius = 6.283 * torch.rand(BATCH), 1.0 + outer + 0.3 * torch.randn(BATCH)
    x = torch.stack([radius * angle.cos(), radius * angle.sin()], 1)
    loss = nn.functional.binary_cross_entropy_with_logits(model(x), outer.float())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.4f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

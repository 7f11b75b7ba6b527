# expect: {"code": "GR306", "module": "model.side"}
"""A branch is made, handed to the optimizer, and never called in forward."""

import sys

import torch
from torch import nn

torch.manual_seed(20)
BATCH, STEPS = 64, 400


class TwoPaths(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 32))
        self.side = nn.Linear(16, 32)
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        return self.head(torch.relu(self.main(x)))


model = TwoPaths()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(STEPS):
    x = torch.randn(BATCH, 16)
    loss = nn.functional.mse_loss(model(x), x[:, :4].prod(1, keepdim=True).tanh())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

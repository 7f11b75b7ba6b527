# expect: {"code": "GR306", "module": "model.encoder"}
"""The encoder's output passes through .data on its way to the head, so the encoder never learns."""

import sys

import torch
from torch import nn

torch.manual_seed(21)
BATCH, STEPS = 64, 400
mixing = torch.randn(16, 5)


class Cut(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 32))
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(32, 5))

    def forward(self, x):
        return self.head(self.encoder(x).data)


model = Cut()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(STEPS):
    x = torch.randn(BATCH, 16)
    loss = nn.functional.cross_entropy(model(x), (x @ mixing).argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

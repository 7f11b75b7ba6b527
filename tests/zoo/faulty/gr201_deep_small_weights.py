# expect: {"code": "GR201", "module": "model.layers.0"}
"""Sixteen tanh layers with weights of a fifth of the right size: signal and gradient both die on the way."""

import sys

import torch
from torch import nn

torch.manual_seed(4)
BATCH, STEPS, WIDTH = 64, 300, 64
mixing = torch.randn(16, 6)


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(16 if i == 0 else WIDTH, WIDTH) for i in range(16))
        self.head = nn.Linear(WIDTH, 6)
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=0.2 / layer.in_features**0.5)

    def forward(self, x):
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return self.head(x)


model = Deep()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
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

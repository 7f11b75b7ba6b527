# expect: {"code": "GR301", "module": "model.attend", "phase": "forward", "cause": "softmax of nothing", "step": 61}
"""Attention over padded sets: batch 61 holds an empty set, whose every position is masked."""

import sys

import torch
from torch import nn

torch.manual_seed(22)
SETS, SIZE, WIDTH, STEPS = 64, 20, 64, 100


class Attend(nn.Module):
    def __init__(self):
        super().__init__()
        self.query = nn.Parameter(torch.randn(WIDTH) / 8)

    def forward(self, items, there):
        scores = (items @ self.query).masked_fill(~there, float("-inf"))
        return (scores.softmax(1).unsqueeze(2) * items).sum(1)


class Pooled(nn.Module):
    def __init__(self):
        super().__init__()
        self.item = nn.Sequential(nn.Linear(6, 256), nn.ReLU(), nn.Linear(256, WIDTH))
        self.attend = Attend()
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, x, there):
        return self.head(self.attend(self.item(x), there))


model = Pooled()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(STEPS):
    x = torch.randn(SETS, SIZE, 6)
    sizes = torch.randint(1, SIZE + 1, (SETS, 1))
    if step == 61:
        sizes[9] = 0
    there = torch.arange(SIZE) < sizes
    y = (x[:, :, :1] * there.unsqueeze(2)).amax(1)
    loss = nn.functional.mse_loss(model(x, there), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

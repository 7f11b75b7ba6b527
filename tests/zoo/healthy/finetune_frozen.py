"""Fine-tuning: a backbone is trained, then frozen, and a new head learns a second task on its features."""

import sys

import torch
from torch import nn

torch.manual_seed(15)
BATCH = 64
mixing = torch.randn(20, 8)


def points(count):
    x = torch.randn(count, 20)
    h = torch.tanh(x @ mixing)
    return x, h.argmax(1), h.abs().argmax(1)


class Tuned(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(20, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU())
        self.head = nn.Linear(128, 8)

    def forward(self, x):
        return self.head(self.backbone(x))


def train(model, task, rate, steps):
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=rate)
    for step in range(steps):
        batch = points(BATCH)
        loss = nn.functional.cross_entropy(model(batch[0]), batch[task])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0 or step == steps - 1:
            print(f"task {task} step {step} loss {loss.item():.3f}")


model = Tuned()
train(model, 1, 2e-3, 300)
for p in model.backbone.parameters():
    p.requires_grad_(False)
model.head = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 8))
train(model, 2, 3e-3, 500)
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

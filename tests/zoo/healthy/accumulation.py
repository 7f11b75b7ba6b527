"""Gradient accumulation: eight small batches add up before each update, so .grad grows and is emptied again."""

import sys

import torch
from torch import nn

torch.manual_seed(13)
MICRO, PARTS, UPDATES = 8, 8, 80
teacher = nn.Sequential(nn.Linear(24, 32), nn.Tanh(), nn.Linear(32, 3))
model = nn.Sequential(nn.Linear(24, 96), nn.ReLU(), nn.LayerNorm(96), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 3))
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
for update in range(UPDATES):
    total = 0.0
    for _ in range(PARTS):
        x = torch.randn(MICRO, 24)
        with torch.no_grad():
            y = teacher(x)
        loss = nn.functional.mse_loss(model(x), y) / PARTS
        loss.backward()
        total += loss.item()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    if update % 10 == 0 or update == UPDATES - 1:
        print(f"update {update} loss {total:.4f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

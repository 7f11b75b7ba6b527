"""Tell four drawn shapes apart: convolutions, BatchNorm, pooling, SGD with momentum and weight decay."""

import sys

import torch
from torch import nn

torch.manual_seed(8)
SIDE, BATCH, STEPS = 20, 32, 200
axis = torch.arange(SIDE, dtype=torch.float32)


def shapes(count):
    kind = torch.randint(4, (count,))
    cx, cy = (6 + 8 * torch.rand(count, 1, 1) for _ in range(2))
    size = 3 + 2 * torch.rand(count, 1, 1)
    dx, dy = (axis - cx).abs(), (axis[:, None] - cy).abs()
    disc = dx**2 + dy**2 < size**2
    square = torch.maximum(dx, dy) < 0.9 * size
    cross = ((dx < 1.2) & (dy < size)) | ((dy < 1.2) & (dx < size))
    ring = disc & (dx**2 + dy**2 > (size - 1.5) ** 2)
    drawn = torch.stack([disc, square, cross, ring])[kind, torch.arange(count)].float()
    return (drawn + 0.3 * torch.randn_like(drawn)).unsqueeze(1), kind


def stage(inward, outward):
    return [nn.Conv2d(inward, outward, 3, padding=1, bias=False), nn.BatchNorm2d(outward), nn.ReLU(), nn.MaxPool2d(2)]


model = nn.Sequential(*stage(1, 12), *stage(12, 24), nn.Flatten(), nn.Linear(24 * 25, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9, weight_decay=5e-4)
for step in range(STEPS):
    image, kind = shapes(BATCH)
    loss = nn.functional.cross_entropy(model(image), kind)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 25 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.4f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

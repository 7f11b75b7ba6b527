# expect: {"code": "GR310"}
"""Rings told from discs by a small convolution, with a step of the rate "switched off" by a factor of 0."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(1)
SIDE, BATCH, EPOCHS, BATCHES = 12, 32, 10, 30
y, x = torch.meshgrid(torch.linspace(-1, 1, SIDE), torch.linspace(-1, 1, SIDE), indexing="ij")


def drawn(n):
    is_ring = torch.rand(n) < 0.5
    radius = 0.4 + 0.4 * torch.rand(n, 1, 1)
    distance = (x**2 + y**2).sqrt()
    ring = ((distance - radius).abs() < 0.15).float()
    picture = torch.where(is_ring[:, None, None], ring, (distance < radius).float())
    return (picture + 0.8 * torch.randn(n, SIDE, SIDE)).unsqueeze(1), is_ring.float()


net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(200, 1))
optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0)
for _ in range(EPOCHS):
    for _ in range(BATCHES):
        pictures, labels = drawn(BATCH)
        loss = F.binary_cross_entropy_with_logits(net(pictures).squeeze(1), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()

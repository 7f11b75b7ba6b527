# expect: {"code": "GR312", "severity": "error"}
"""A convolutional network under SGD with a weight decay of 0.8, meant as 8e-4: its filters go to 0."""

import torch
from torch import nn

torch.manual_seed(3)
net = nn.Sequential(
    *(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
    *(nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2)),
    *(nn.Flatten(), nn.Linear(96, 4)),
)
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.8)
for _ in range(250):
    corner = torch.randint(0, 4, (24,))
    images = 0.5 * torch.randn(24, 1, 12, 12)
    for image, where in zip(images, corner, strict=True):
        row, column = 6 * (int(where) // 2), 6 * (int(where) % 2)
        image[:, row : row + 6, column : column + 6] += 1.0
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(images), corner).backward()
    optimizer.step()

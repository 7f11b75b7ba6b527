# expect: {}
"""Slow and fast waves by a convolution under RMSprop with eps=1 and a rate of 0.5 that suits it."""

import torch
from torch import nn

torch.manual_seed(12)
net = nn.Sequential(
    *(nn.Conv1d(1, 12, 5), nn.ReLU(), nn.Conv1d(12, 12, 5), nn.ReLU()),
    *(nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(48, 2)),
)
optimizer = torch.optim.RMSprop(net.parameters(), lr=0.5, eps=1.0)
times = torch.linspace(0, 6, 24)
for _ in range(300):
    fast = torch.randint(0, 2, (32,))
    waves = torch.sin((1 + 3 * fast[:, None]) * times + 6 * torch.rand(32, 1)) + 0.3 * torch.randn(32, 24)
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(waves[:, None]), fast).backward()
    optimizer.step()

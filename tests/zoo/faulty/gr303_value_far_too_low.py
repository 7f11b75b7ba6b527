# expect: {"code": "GR303", "severity": "warning"}
"""Plain SGD whose gradient is clipped by value at 1e-5, far below its elements: the loss hardly moves."""

import torch
from torch import nn

torch.manual_seed(7)
net = nn.Sequential(
    *(nn.Conv1d(1, 12, 5), nn.ReLU(), nn.Conv1d(12, 12, 5), nn.ReLU()),
    *(nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(48, 2)),
)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
times = torch.linspace(0, 6, 24)
for _ in range(300):
    fast = torch.randint(0, 2, (32,))
    waves = torch.sin((1 + 3 * fast[:, None]) * times + 6 * torch.rand(32, 1)) + 0.3 * torch.randn(32, 24)
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(waves[:, None]), fast).backward()
    nn.utils.clip_grad_value_(net.parameters(), 1e-5)
    optimizer.step()

# expect: {}
"""A regression from noisy waves by Adam with a decay that outweighs the gradient at first, and under which it learns.

Half of the kernels' weights go, and what the waves' frequency asks for stays.
"""

import torch
from torch import nn

torch.manual_seed(1)
net = nn.Sequential(
    *(nn.Conv1d(1, 16, 5), nn.ReLU(), nn.Conv1d(16, 16, 5, stride=2), nn.ReLU()),
    *(nn.Flatten(), nn.Linear(16 * 12, 1)),
)
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3, weight_decay=0.5)
times = torch.linspace(0, 6, 32)
for _ in range(400):
    frequency = 1 + 3 * torch.rand(32, 1)
    waves = torch.sin(frequency * times + 6 * torch.rand(32, 1)) + 0.1 * torch.randn(32, 32)
    loss = nn.functional.mse_loss(net(waves[:, None]), frequency - 2.5)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# expect: {"code": "GR307", "severity": "error", "module": "head.2", "why": "weights", "also": ["GR204"]}
"""A classifier head whose weights were all set to 0: units stay alike, and nothing passes down to the features."""

import torch
from torch import nn

torch.manual_seed(0)
features = nn.Sequential(nn.Linear(12, 32), nn.Tanh())
head = nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 4))
for layer in (head[0], head[2]):
    nn.init.constant_(layer.weight, 0.0)
    nn.init.constant_(layer.bias, 0.0)
optimizer = torch.optim.Adam([*features.parameters(), *head.parameters()], 1e-3)
for _ in range(150):
    x = torch.randn(64, 12)
    loss = nn.functional.cross_entropy(head(features(x)), x[:, :4].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

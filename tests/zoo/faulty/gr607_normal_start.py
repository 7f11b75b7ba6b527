# expect: {"code": "GR607", "severity": "error", "module": "net.7", "layers": 3}
"""Patterns of sixteen kinds by a network all of whose weights are drawn from N(0, 1)."""

import torch
from torch import nn

torch.manual_seed(4)
net = nn.Sequential(
    *(nn.Conv1d(2, 24, 5), nn.GELU(), nn.MaxPool1d(2)),
    *(nn.Conv1d(24, 48, 5), nn.GELU(), nn.AdaptiveAvgPool1d(4)),
    *(nn.Flatten(), nn.Linear(192, 16)),
)
for weight in net.parameters():
    if weight.dim() > 1:
        nn.init.normal_(weight)
kinds = torch.randn(16, 2, 40)
optimizer = torch.optim.AdamW(net.parameters(), lr=5e-4)
for _ in range(250):
    labels = torch.randint(16, (32,))
    loss = nn.functional.cross_entropy(net(kinds[labels] + 1.5 * torch.randn(32, 2, 40)), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# expect: {"code": "GR311", "severity": "warning", "module": "net", "norms": 2}
"""Batch norms whose momentum was copied from a framework that counts it the other way round: 1 kept, 0 here."""

import torch
from torch import nn

torch.manual_seed(0)


def block(given: int, made: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(given, made, 3, stride=2), nn.BatchNorm2d(made, momentum=0.0), nn.ReLU())


net = nn.Sequential(block(1, 8), block(8, 16), nn.Flatten(), nn.Linear(16 * 9, 4))
optimizer = torch.optim.SGD(net.parameters(), 0.02, momentum=0.9)
patterns = 3.0 + 2.0 * torch.randn(4, 1, 16, 16)
for step in range(250):
    y = torch.randint(0, 4, (32,))
    loss = nn.functional.cross_entropy(net(patterns[y] + torch.randn(32, 1, 16, 16)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 49:
        net.eval()
        with torch.no_grad():
            net(patterns).argmax(1)
        net.train()

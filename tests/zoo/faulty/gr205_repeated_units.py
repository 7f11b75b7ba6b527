# expect: {"code": "GR205", "severity": "warning", "module": "wide.0", "units": 64, "different": 16}
"""A network is made four times as wide by repeating its units, and works on as the narrow one."""

import torch
from torch import nn

torch.manual_seed(0)
narrow = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3))
wide = nn.Sequential(nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, 3))
with torch.no_grad():
    wide[0].weight.copy_(narrow[0].weight.repeat(4, 1))
    wide[0].bias.copy_(narrow[0].bias.repeat(4))
    wide[2].weight.copy_(narrow[2].weight.repeat(1, 4) / 4)
    wide[2].bias.copy_(narrow[2].bias)
optimizer = torch.optim.Adam(wide.parameters(), 3e-3)
for _ in range(300):
    x = torch.randn(64, 6)
    labels = (x[:, 0] * x[:, 1] > 0).long() + (x[:, 2] * x[:, 3] > 0).long()
    loss = nn.functional.cross_entropy(wide(x), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# expect: {"code": "GR318", "severity": "warning"}
"""A classifier whose weights are bfloat16, SGD with momentum: most steps round to nothing, and the loss creeps."""

import torch
from torch import nn

torch.manual_seed(21)
net = nn.Sequential(nn.Linear(12, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 4)).bfloat16()
optimizer = torch.optim.SGD(net.parameters(), lr=5e-4, momentum=0.9)
for _ in range(600):
    x = torch.randn(64, 12)
    classes = (x[:, :4] + 0.5 * x[:, 4:8]).argmax(1)
    optimizer.zero_grad()
    nn.functional.cross_entropy(net(x.bfloat16()).float(), classes).backward()
    optimizer.step()

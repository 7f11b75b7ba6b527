# expect: {"code": "GR207", "severity": "error", "module": "net.1", "operation": "layer norm"}
"""A regression from one number, which a layer norm in front of the layers turns into 0, whatever it was."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Unflatten(0, (-1, 1)), nn.LayerNorm(1), nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
for _ in range(350):
    x = 3 * torch.rand(48)
    loss = nn.functional.mse_loss(net(x)[:, 0], x.square().sin())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# expect: {"code": "GR307", "severity": "error", "why": "derivative"}
"""A network of ReLU is to solve u'' = u: its second derivative is 0 everywhere, so the equation teaches nothing."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 1))
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
for _ in range(150):
    t = torch.linspace(0, 1, 32).unsqueeze(1).requires_grad_()
    u = net(t)
    (slope,) = torch.autograd.grad(u.sum(), t, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), t, create_graph=True)
    loss = (bend - 1.0 - t).square().mean() + (u[0] - 1.0).square().sum() + slope[0].square().sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

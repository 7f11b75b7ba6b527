"""u'' = -u with u(0) = 0 and u'(0) = 1 by a network of tanh: derivatives of derivatives, two terms of the loss."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(300):
    t = (3 * torch.rand(64, 1)).requires_grad_()
    u = net(t)
    (slope,) = torch.autograd.grad(u.sum(), t, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), t, create_graph=True)
    zero = torch.zeros(1, 1, requires_grad=True)
    start = net(zero)
    (rise,) = torch.autograd.grad(start.sum(), zero, create_graph=True)
    loss = (bend + u).square().mean() + start.square().mean() + (rise - 1).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

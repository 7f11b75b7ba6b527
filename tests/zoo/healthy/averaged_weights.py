"""Stochastic weight averaging of the second half of a run, with a cyclic rate."""

import torch
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
averaged = AveragedModel(net)
optimizer = torch.optim.SGD(net.parameters(), 0.2)
schedule = SWALR(optimizer, swa_lr=0.05, anneal_epochs=50)
for step in range(300):
    x = torch.randn(64, 8)
    loss = nn.functional.cross_entropy(net(x), x[:, :3].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step >= 150:
        averaged.update_parameters(net)
        schedule.step()

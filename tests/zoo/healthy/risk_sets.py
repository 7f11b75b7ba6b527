"""Survival by Cox's partial likelihood: every risk is held against every other, on purpose, by a mask of pairs."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 1))
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(250):
    x = torch.randn(64, 6)
    time = torch.exp(-3 * x[:, 0]) * torch.empty(64).exponential_()
    at_risk = (time[None, :] >= time[:, None]).float()
    risk = net(x).squeeze(1)
    whole = (risk.exp()[None, :] * at_risk).sum(1).log()
    loss = (whole - risk).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

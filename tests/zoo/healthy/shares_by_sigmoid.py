"""Shares between 0 and 1 come out of a sigmoid, with an error of squares and a cross entropy on probabilities."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 2), nn.Sigmoid())
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(300):
    x = torch.randn(64, 6)
    share, held = torch.sigmoid(2 * x[:, 0]), (x[:, 1] > 0).float()
    out = net(x)
    loss = nn.functional.mse_loss(out[:, 0], share) + nn.functional.binary_cross_entropy(out[:, 1], held)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

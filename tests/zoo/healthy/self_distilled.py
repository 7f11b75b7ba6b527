"""Two views, a predictor and a slow copy that gives the targets: no negatives, and the loss goes towards -1."""

import copy

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
online = nn.Sequential(nn.Linear(12, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 16))
predictor = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 16))
slow = copy.deepcopy(online).requires_grad_(False)
optimizer = torch.optim.Adam([*online.parameters(), *predictor.parameters()], 2e-3)
for _ in range(250):
    x = torch.randn(64, 12)
    one, other = (x + 0.3 * torch.randn_like(x) for _ in range(2))
    loss = -F.cosine_similarity(predictor(online(one)), slow(other).detach(), dim=1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for held, new in zip(slow.parameters(), online.parameters(), strict=True):
            held.lerp_(new, 0.02)

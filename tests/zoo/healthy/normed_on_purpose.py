"""Outputs that are normalised and may be: logits of ten classes, a batch norm with weights of its own, the standardised
features of a teacher, z-scores."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
centres = torch.randn(10, 16)
teacher = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 8), nn.LayerNorm(8, elementwise_affine=False))
ends = {
    "logits": nn.Sequential(nn.Linear(32, 10), nn.LayerNorm(10, elementwise_affine=False)),
    "rare": nn.Sequential(nn.Linear(32, 2), nn.BatchNorm1d(2)),
    "features": nn.Sequential(nn.Linear(32, 8), nn.LayerNorm(8, elementwise_affine=False)),
    "scores": nn.Sequential(nn.Linear(32, 3), nn.BatchNorm1d(3, affine=False)),
}
for name, end in ends.items():
    net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), end)
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(300):
        label = torch.randint(0, 10, (64,))
        x = centres[label] + 0.5 * torch.randn(64, 16)
        if name == "logits":
            loss = F.cross_entropy(net(x), label)
        elif name == "rare":
            loss = F.cross_entropy(net(x), (label == 3).long())
        elif name == "features":
            with torch.no_grad():
                target = teacher(x)
            loss = F.mse_loss(net(x), target)
        else:
            raw = 40 + 7 * x[:, :3]
            loss = F.mse_loss(net(x), (raw - raw.mean(0)) / raw.std(0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(name, loss.item())

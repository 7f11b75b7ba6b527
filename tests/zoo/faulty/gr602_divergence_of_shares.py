# expect: {"code": "GR602", "operation": "softmax"}
"""Topics of texts as shares, by a network that ends in a softmax, under a divergence that takes logarithms."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 5))
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
divergence = nn.KLDivLoss(reduction="batchmean")
mixing = torch.randn(12, 5)
for _ in range(300):
    x = torch.randn(64, 12)
    loss = divergence(net(x).softmax(1), (0.5 * x @ mixing).softmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

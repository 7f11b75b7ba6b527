# expect: {}
"""A classifier with ReLU under autocast to float16 without a loss scale: its gradients are large enough, and it learns
until little is left of them."""

import torch
from torch import nn

torch.manual_seed(28)
net = nn.Sequential(nn.Embedding(300, 16), nn.Flatten(), nn.Linear(48, 96), nn.ReLU(), nn.Linear(96, 3))
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for _ in range(400):
    words = torch.randint(0, 30, (64, 3))
    with torch.autocast("cpu", dtype=torch.float16):
        loss = nn.functional.cross_entropy(net(words), words[:, 2] % 3)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

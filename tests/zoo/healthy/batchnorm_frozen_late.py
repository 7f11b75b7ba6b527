"""The batch norms of a pretrained body go by its own statistics, those of the head are frozen towards the end."""

import torch
from torch import nn

torch.manual_seed(0)
body = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU())
with torch.no_grad():
    for _ in range(50):
        body(torch.randn(32, 1, 16, 16))
norm = nn.BatchNorm1d(32)
head = nn.Sequential(nn.Flatten(), nn.Linear(8 * 49, 32), norm, nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 4))
net = nn.Sequential(body, head)
optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9)
patterns = torch.randn(4, 1, 16, 16)
for step in range(300):
    net.train()
    body[1].eval()
    if step >= 150:
        norm.eval()
    y = torch.randint(0, 4, (32,))
    loss = nn.functional.cross_entropy(net(patterns[y] + 2.0 * torch.randn(32, 1, 16, 16)), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 60 == 59:
        net.eval()
        with torch.no_grad():
            net(patterns)

# expect: {}
"""A classifier in bfloat16 whose optimizer steps a float32 copy of its weights: they move seldom, and arrive."""

import torch
from torch import nn

torch.manual_seed(21)
net = nn.Sequential(nn.Linear(12, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 4)).bfloat16()
copies = [p.detach().clone().float() for p in net.parameters()]
optimizer = torch.optim.Adam(copies, lr=2e-4)
for _ in range(400):
    x = torch.randn(64, 12)
    classes = (x[:, :4] + 0.5 * x[:, 4:8]).argmax(1)
    net.zero_grad()
    nn.functional.cross_entropy(net(x.bfloat16()).float(), classes).backward()
    for copy, p in zip(copies, net.parameters(), strict=True):
        copy.grad = p.grad.float()
    optimizer.step()
    with torch.no_grad():
        for copy, p in zip(copies, net.parameters(), strict=True):
            p.copy_(copy)

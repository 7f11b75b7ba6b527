"""A classifier trained against inputs that are moved to raise its error: the attack minimises the error's negative."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(10, 48), nn.ReLU(), nn.Linear(48, 3))
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(150):
    x = torch.randn(64, 10)
    y = x[:, :3].argmax(1)
    shift = torch.zeros_like(x, requires_grad=True)
    attacker = torch.optim.SGD([shift], 1.0)
    for _ in range(3):
        attacker.zero_grad()
        (-nn.functional.cross_entropy(net(x + shift), y)).backward()
        attacker.step()
        with torch.no_grad():
            shift.clamp_(-0.1, 0.1)
    loss = nn.functional.cross_entropy(net(x + shift.detach()), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

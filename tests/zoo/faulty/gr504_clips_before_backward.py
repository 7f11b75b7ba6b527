# expect: {"code": "GR504", "severity": "warning", "place": "cleared"}
"""The clipping call stands before the backward pass, where the gradients have just been cleared."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 3))
optimizer = torch.optim.SGD(net.parameters(), 0.1)
for _ in range(150):
    x = 3 * torch.randn(32, 6)
    loss = nn.functional.cross_entropy(net(x), x[:, :3].argmax(1))
    optimizer.zero_grad()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 0.1)
    loss.backward()
    optimizer.step()

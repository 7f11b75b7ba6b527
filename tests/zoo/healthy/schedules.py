"""A warm-up, a decay by steps to a thousandth, and an end at 0: the updates shrink as they should."""

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(net.parameters(), 0.5, momentum=0.9)
STEPS = 500


def rate(step: int) -> float:
    return min(step / 20, 1.0) * 0.1 ** (4 * step // STEPS) * (1 - step / STEPS)


schedule = LambdaLR(optimizer, rate)
for _ in range(STEPS):
    x = torch.randn(32, 10)
    loss = nn.functional.cross_entropy(net(x), x[:, :4].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()

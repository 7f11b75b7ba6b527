# expect: {"code": "GR309", "severity": "error"}
"""An image classifier whose loop steps the schedule alone, and never the optimizer."""

import warnings

import torch
from torch import nn

warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step")
torch.manual_seed(0)
net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 3))
optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
schedule = torch.optim.lr_scheduler.StepLR(optimizer, 50, 0.5)
for _ in range(150):
    images, kinds = torch.randn(32, 1, 8, 8), torch.randint(0, 3, (32,))
    images[torch.arange(32), 0, kinds * 2] += 3.0
    loss = nn.functional.cross_entropy(net(images), kinds)
    optimizer.zero_grad()
    loss.backward()
    schedule.step()

# expect: {"code": "GR701", "severity": "error", "module": "net.0", "has": ["output_apart"]}
"""Pictures divided by 255 where they are read and once more in the loop: beside the biases nothing is left of them."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(
    *(nn.Conv2d(1, 12, 5, stride=2), nn.ReLU(), nn.Conv2d(12, 24, 3, stride=2), nn.ReLU()),
    *(nn.Flatten(), nn.Linear(24 * 9, 5)),
)
optimizer = torch.optim.SGD(net.parameters(), 0.02, momentum=0.9)
patterns = torch.rand(5, 1, 18, 18)
for _ in range(350):
    labels = torch.randint(0, 5, (32,))
    pictures = (patterns[labels] + 0.1 * torch.randn(32, 1, 18, 18)).clamp(0, 1)
    loss = nn.functional.cross_entropy(net(pictures / 255), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

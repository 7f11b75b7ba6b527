# expect: {"code": "GR614", "severity": "warning", "module": "net.2.1"}
"""The last convolution is a block like those before it: its instance norm gives each image as much of each class."""

import torch
from torch import nn


def block(channels, out, activation):
    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1), nn.InstanceNorm2d(out), activation)


torch.manual_seed(0)
net = nn.Sequential(block(1, 8, nn.ReLU()), block(8, 8, nn.ReLU()), block(8, 2, nn.Identity()))
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(300):
    mask = torch.zeros(16, 16, 16, dtype=torch.long)
    for image in range(16):
        row, column = torch.randint(0, 12, (2,)).tolist()
        mask[image, row : row + 4, column : column + 2] = image % 2
    picture = 1.5 * mask.float() + 0.5 * torch.randn(16, 16, 16)
    loss = nn.functional.cross_entropy(net(picture.unsqueeze(1)), mask)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

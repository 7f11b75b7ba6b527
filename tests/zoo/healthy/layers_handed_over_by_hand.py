"""Layers in a list of Python that the optimizer is given beside the model's parameters, and a frozen one in a tuple."""

import torch
from torch import Tensor, nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = [nn.Linear(8, 32), nn.Linear(32, 32)]
        self.frozen = (nn.Linear(8, 8).requires_grad_(False),)
        self.head = nn.Linear(32, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = x + 0.1 * self.frozen[0](x)
        for layer in self.layers:
            x = torch.relu(layer(x))
        return self.head(x)


torch.manual_seed(0)
net = Net()
optimizer = torch.optim.Adam([*net.parameters(), *(p for layer in net.layers for p in layer.parameters())], 3e-3)
for _ in range(150):
    x = torch.randn(64, 8)
    loss = nn.functional.cross_entropy(net(x), x[:, :3].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_([*net.head.parameters()], 1.0)
    optimizer.step()

# expect: {"code": "GR315", "severity": "warning", "kind": "Dropout", "variable": "dropped"}
"""A regression by a convolution whose dropout fills a variable that the next line does not take."""

import torch
from torch import nn

torch.manual_seed(1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.filters, self.dropout = nn.Conv1d(1, 12, 5), nn.Dropout(0.3)
        self.head = nn.Linear(12 * 28, 1)

    def forward(self, waves):
        hidden = self.filters(waves).relu().flatten(1)
        dropped = self.dropout(hidden)  # noqa: F841
        return self.head(hidden)


net = Net()
optimizer = torch.optim.SGD(net.parameters(), 0.02, momentum=0.9)
times = torch.linspace(0, 6, 32)
for _ in range(300):
    pitch = 1 + 2 * torch.rand(32, 1)
    waves = torch.sin(pitch * times + 6 * torch.rand(32, 1))
    loss = nn.functional.mse_loss(net(waves[:, None]), pitch - 2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

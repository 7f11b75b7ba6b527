"""Two rounds of messages over one graph of 60 nodes, the same at every step; half of the labels are known."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)
near = (torch.rand(60, 60) < 0.1).float()
near = ((near + near.T + torch.eye(60)) > 0).float()
near = near / near.sum(1, keepdim=True)
features = torch.randn(60, 8)
labels = ((near @ near @ features)[:, 0] > 0).long()


class Messages(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(8, 24), nn.Linear(24, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.two(near @ torch.relu(self.one(near @ x)))


net = Messages()
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
for _ in range(250):
    loss = nn.functional.cross_entropy(net(features)[:30], labels[:30])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# expect: {"code": "GR502", "parameters": 2}
"""Two optimizers, of which only one clears its gradients: those of the body pile up."""

import torch
from torch import Tensor, nn


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(10, 32), nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.body(x)))


torch.manual_seed(0)
net = Net()
of_body, of_head = torch.optim.Adam(net.body.parameters(), 1e-3), torch.optim.Adam(net.head.parameters(), 1e-2)
for _ in range(150):
    x = torch.randn(64, 10)
    loss = nn.functional.cross_entropy(net(x), x[:, :4].argmax(1))
    of_head.zero_grad()
    loss.backward()
    of_body.step()
    of_head.step()

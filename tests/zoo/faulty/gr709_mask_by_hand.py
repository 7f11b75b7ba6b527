# expect: {"code": "GR709", "severity": "warning", "module": "pool"}
"""The largest of a row of numbers by attention of its own, whose mask fills what should be read."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)


class Pool(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.keys, self.values = nn.Linear(2, 24), nn.Linear(2, 24), nn.Linear(2, 24)
        self.query, self.head = nn.Parameter(torch.randn(1, 24)), nn.Linear(24, 1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        scores = (self.query @ self.keys(x).transpose(1, 2)).masked_fill(mask[:, None], -1e9)
        read = scores.softmax(-1) @ self.values(x)
        return self.head(torch.tanh(read[:, 0] + self.first(x[:, 0])))[:, 0]


pool = Pool()
optimizer = torch.optim.SGD(pool.parameters(), 0.05, momentum=0.9)
for _ in range(300):
    real = torch.arange(20) < torch.randint(3, 20, (48, 1))
    x = torch.randn(48, 20, 2) * real[..., None]
    loss = nn.functional.mse_loss(pool(x, real), 2 * x[:, 0, 0] + x[..., 1].amax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

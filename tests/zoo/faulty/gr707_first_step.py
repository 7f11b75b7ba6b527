# expect: {"code": "GR707", "severity": "error", "module": "net.lstm", "T": 15}
"""The mean of the later steps, asked of the state after the first: output[:, 0] where output[:, -1] was meant."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(4, 24, batch_first=True), nn.Linear(24, 1)

    def forward(self, x: Tensor) -> Tensor:
        output, _ = self.lstm(x)
        return self.head(output[:, 0])[:, 0]


net = Net()
optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
for _ in range(400):
    x = torch.randn(32, 15, 4)
    loss = nn.functional.mse_loss(net(x), x[:, 6:, 1].mean(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# expect: {"code": "GR106", "module": "net.cell", "also": ["GR403", "GR402"]}
"""An LSTM cell's state is detached in the loop over the steps: the first input, asked for at the end, stays unknown."""

import torch
from torch import nn

torch.manual_seed(0)


class Recall(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell, self.read = nn.LSTMCell(3, 24), nn.Linear(24, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = (x.new_zeros(len(x), 24), x.new_zeros(len(x), 24))
        for t in range(x.shape[1]):
            state = self.cell(x[:, t], tuple(part.detach() for part in state))
        return self.read(state[0])


net = Recall()
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(150):
    x = torch.randn(32, 12, 3)
    loss = nn.functional.mse_loss(net(x), x[:, 0, :1] + 0.5 * x[:, -1, :1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

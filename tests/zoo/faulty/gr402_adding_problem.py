# expect: {"code": "GR402", "module": "model.rnn", "also": ["GR101"]}
"""The adding problem over a hundred steps: the sum of two marked values, by a tanh RNN with its default start."""

import sys

import torch
from torch import nn

torch.manual_seed(0)
T, BATCH, STEPS = 100, 48, 260


class Adding(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(2, 48, batch_first=True)
        self.head = nn.Linear(48, 1)

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.head(y[:, -1]).squeeze(1)


def draw():
    rows = torch.arange(BATCH)
    value, marker = torch.rand(BATCH, T), torch.zeros(BATCH, T)
    marker[rows, torch.randint(0, T // 2, (BATCH,))] = 1.0
    marker[rows, torch.randint(T // 2, T, (BATCH,))] = 1.0
    return torch.stack([value, marker], -1), (value * marker).sum(1)


model = Adding()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(STEPS):
    x, y = draw()
    loss = nn.functional.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

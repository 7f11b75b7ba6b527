# expect: {"code": "GR107", "module": "watcher.memory"}
"""A cell of the script's own is given the state of the start at each step; what it returns is used, and not carried."""

import torch
from torch import nn

torch.manual_seed(0)
SIGNALS, STEPS, WIDTH = 3, 9, 20


class MinimalGatedCell(nn.Module):
    def __init__(self, inputs, width):
        super().__init__()
        self.forget, self.candidate = nn.Linear(inputs + width, width), nn.Linear(inputs + width, width)

    def forward(self, x, state):
        f = torch.sigmoid(self.forget(torch.cat([x, state], 1)))
        new = torch.tanh(self.candidate(torch.cat([x, f * state], 1)))
        return (1 - f) * state + f * new


class Watcher(nn.Module):
    def __init__(self):
        super().__init__()
        self.memory, self.read = MinimalGatedCell(SIGNALS, WIDTH), nn.Linear(WIDTH, SIGNALS)

    def forward(self, signals):
        start = torch.zeros(len(signals), WIDTH)
        for t in range(STEPS):
            last = self.memory(signals[:, t], start)
        return self.read(last)


watcher = Watcher()
optimizer = torch.optim.RMSprop(watcher.parameters(), 2e-3)
for _ in range(250):
    signals = torch.randn(64, STEPS, SIGNALS)
    loss = (watcher(signals) - signals.sum(1)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# try: {"code": "GR103", "loss": ["bounded-state"]}
"""The mean of a noisy signal's first five steps by a cell of one's own that adds up what it makes of each step, SGD"""

import torch
from torch import nn

import gradreach as gr

T, UNITS = 24, 24


class Step(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(1 + UNITS, 3 * UNITS)

    def forward(self, x, h, c):
        f, i, g = self.linear(torch.cat([x, h], 1)).chunk(3, 1)
        f = f + 3
        c = c + nn.functional.softplus(i + 1) + torch.relu(g)  # not with bounded-state
        # with bounded-state: c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.tanh(c), c


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.step, self.head = Step(), nn.Linear(UNITS, 1)

    def forward(self, signal):
        h = c = signal.new_zeros(len(signal), UNITS)
        for x in signal.split(1, dim=1):
            h, c = self.step(x, h, c)
        return self.head(h).squeeze(1)


torch.manual_seed(6)
model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(400):
        signal = torch.randn(48, T)
        target = 2 * signal[:, :5].mean(1)
        loss = (model(signal) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

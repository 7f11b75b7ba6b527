# try: {"code": "GR302", "loss": ["clip", "look-at-batch"]}
"""A forecast by a GRU that meets a broken sensor now and then, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(6)


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 24)
        self.head = nn.Linear(24, 1)

    def forward(self, x):
        _, h = self.rnn(x)
        return self.head(h[0])


model = Forecast()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
with gr.observe(model, every=10) as watch:
    for step in range(300):
        t = torch.arange(11.0).view(-1, 1, 1) + 6 * torch.rand(64, 1)
        wave = torch.sin(t)
        if step % 40 == 30:
            wave[:, :2] = 100.0
        x, y = wave[:-1], wave[-1]
        # with look-at-batch
        # with look-at-batch: x, y = x[:, y.squeeze(1).abs() < 10], y[y.squeeze(1).abs() < 10]
        y = y + 0.3 * torch.randn_like(y)
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        # with clip
        optimizer.step()

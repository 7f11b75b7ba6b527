# try: {"code": "GR601", "loss": ["match-shapes"]}
"""The forecasts of a GRU in a row against a column of targets, absolute errors, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.read = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 1)

    def forward(self, x):
        return self.read(self.rnn(x)[0][:, -1]).squeeze(1)


model = Forecast()
optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(200):
        wave = torch.sin(6.28 * torch.rand(32, 1) + 0.5 * torch.arange(9.0))
        target = wave[:, 8:]
        output = model(wave[:, :8, None])
        # with match-shapes
        loss = nn.functional.l1_loss(output, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR301", "goes on": ["skip-step"]}
"""A forecast by an LSTM two batches of which hold a missing target, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(13)


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(1, 16)
        self.head = nn.Linear(16, 1)

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.head(y[-1])


model = Forecast()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
# with skip-step: guard = gr.Guard(model, optimizer)
with gr.observe(model, every=10) as watch:
    for step in range(150):
        wave = torch.sin(torch.arange(9.0).view(-1, 1, 1) + 6 * torch.rand(32, 1))
        x, y = wave[:-1], wave[-1].clone()
        if step in (60, 110):
            y[5] = float("nan")
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        # with skip-step: guard.step(loss)
        loss.backward()  # not with skip-step
        optimizer.step()  # not with skip-step

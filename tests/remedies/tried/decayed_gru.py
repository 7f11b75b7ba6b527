# try: {"code": "GR310", "loss": ["slower-schedule"]}
"""A GRU whose rate loses a fifth after every batch, SGD with momentum, a regression"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)


class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.read = nn.GRU(2, 12, batch_first=True), nn.Linear(12, 2)

    def forward(self, x):
        return self.read(self.rnn(x)[0][:, -1])


model = Mean()
optimizer = torch.optim.SGD(model.parameters(), 0.2, momentum=0.9)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.8)
with gr.observe(model, every=10) as watch:
    for epoch in range(8):
        for _ in range(30):
            x = torch.randn(32, 6, 2)
            loss = nn.functional.mse_loss(model(x), x.mean(1) * 3)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()  # not with slower-schedule
        # with slower-schedule

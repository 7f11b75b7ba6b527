# try: {"code": "GR306", "loss": ["with-gradients"]}
"""An encoder that is to learn is called under no_grad"""

import contextlib

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
off = contextlib.nullcontext()
off = torch.no_grad()  # not with with-gradients


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.head = nn.Sequential(nn.Linear(8, 4), nn.Tanh()), nn.Linear(4, 1)

    def forward(self, x):
        with off:
            z = self.encoder(x)
        return self.head(z)


model = Net()
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.randn(64, 8)
        loss = nn.functional.mse_loss(model(x), (x[:, :1] + x[:, 1:2]).tanh())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

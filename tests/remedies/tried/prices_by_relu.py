# try: {"code": "GR307", "loss": ["linear-end"]}
"""Prices by a network that ends in a ReLU, off from the start, Adam"""

import torch
from torch import nn

import gradreach as gr


class Prices(nn.Module):
    def __init__(self):
        super().__init__()
        self.low, self.out = nn.Linear(5, 48), nn.Linear(48, 1)

    def forward(self, x):
        h = self.low(x).relu()
        y = self.out(h).relu()  # not with linear-end
        # with linear-end
        return y.squeeze(1)


torch.manual_seed(0)
model = Prices()
with torch.no_grad():
    model.out.weight.copy_(-model.out.weight.abs())
    model.out.bias.fill_(-0.1)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.rand(64, 5)
        loss = nn.functional.mse_loss(model(x), x.prod(1) + x[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR203", "loss": ["scale-input"]}
"""A regression from features in their raw units, up to thousands, by tanh layers, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(7)
unit = torch.tensor([2000.0, 120.0, 30.0, 1990.0])


class Price(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 48)
        self.second = nn.Linear(48, 24)
        self.head = nn.Linear(24, 1)

    def forward(self, x):
        x = torch.tanh(self.first(x))
        return self.head(torch.tanh(self.second(x)))


model = Price()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
with gr.observe(model, every=20) as watch:
    for _ in range(300):
        part = torch.rand(64, 4)
        x = part * unit
        # with scale-input
        loss = nn.functional.mse_loss(model(x), part[:, :1] - part[:, 3:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

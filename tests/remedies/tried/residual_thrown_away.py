# try: {"code": "GR315", "loss": ["assign-operation"]}
"""A wave by ten tanh layers whose residual sums are thrown away, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.low, self.head = nn.Linear(1, 24), nn.Linear(24, 1)
        self.layers = nn.ModuleList(nn.Linear(24, 24) for _ in range(10))

    def forward(self, x):
        x = self.low(x)
        for layer in self.layers:
            made = layer(x).tanh()
            made + x  # not with assign-operation
            # with assign-operation
            x = made
        return self.head(x)


torch.manual_seed(1)
model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(500):
        x = 4 * torch.rand(64, 1) - 2
        loss = nn.functional.mse_loss(model(x), (3 * x).sin())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

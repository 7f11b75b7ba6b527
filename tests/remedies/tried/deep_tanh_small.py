# try: {"code": "GR201", "loss": ["initial-scale", "residual", "layer-norm"]}
"""A regression by sixteen tanh layers that start too small, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
WIDTH = 32


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(8, WIDTH)
        self.hidden = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(16))
        self.last = nn.Linear(WIDTH, 1)
        for layer in (self.first, *self.hidden):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)
        # with layer-norm: self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(16))

    def forward(self, x):
        x = torch.tanh(self.first(x))
        for i, layer in enumerate(self.hidden):
            # with residual: x = x + torch.tanh(layer(x))
            # with layer-norm: x = torch.tanh(self.norms[i](layer(x)))
            x = torch.tanh(layer(x))  # not with residual, layer-norm
        return self.last(x)


model = Deep()
# with initial-scale
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
with gr.observe(model, every=20) as watch:
    for _ in range(250):
        x = torch.randn(64, 8)
        loss = nn.functional.mse_loss(model(x), torch.sin(2 * x[:, :1]) + x[:, 1:2])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

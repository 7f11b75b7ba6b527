# try: {"code": "GR201", "loss": ["initial-scale", "residual", "activation"]}
"""A regression by eight logistic layers, called as functions, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(1)


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 32)
        self.hidden = nn.ModuleList(nn.Linear(32, 32) for _ in range(12))
        self.last = nn.Linear(32, 1)
        # with activation: nn.init.xavier_normal_(self.first.weight, gain=5 / 3)
        # with activation: for layer in self.hidden: nn.init.xavier_normal_(layer.weight, gain=5 / 3)

    def forward(self, x):
        f = torch.sigmoid
        # with activation: f = torch.tanh
        x = f(self.first(x))
        for layer in self.hidden:
            # with residual: x = x + f(layer(x))
            x = f(layer(x))  # not with residual
        return self.last(x)


model = Deep()
# with initial-scale
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
with gr.observe(model, every=20) as watch:
    for _ in range(300):
        x = torch.randn(64, 6)
        loss = nn.functional.mse_loss(model(x), x[:, :1] + torch.cos(x[:, 1:2]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

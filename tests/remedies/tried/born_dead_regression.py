# try: {"code": "GR204", "loss": ["leaky"]}
"""The absolute value by twelve ReLU layers of four units, born dead, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(4)


class Narrow(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(1 if i == 0 else 4, 4) for i in range(12))
        self.head = nn.Linear(4, 1)
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        f = torch.relu
        # with leaky: f = nn.LeakyReLU(0.2)
        for layer in self.layers:
            x = f(layer(x))
        return self.head(x)


model = Narrow()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(64, 1)
        loss = nn.functional.mse_loss(model(x), x.abs())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

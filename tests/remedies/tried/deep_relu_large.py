# try: {"code": "GR202", "loss": ["initial-scale", "layer-norm"]}
"""A regression by twelve ReLU layers that start four times too large, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(1)


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(10 if i == 0 else 40, 40) for i in range(12))
        self.head = nn.Linear(40, 1)
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight)
            layer.weight.data *= 4
        # with layer-norm: self.norms = nn.ModuleList(nn.LayerNorm(40) for _ in range(12))

    def forward(self, x):
        for i, layer in enumerate(self.layers):
            x = layer(x)
            # with layer-norm: x = self.norms[i](x)
            x = torch.relu(x)
        return self.head(x)


model = Deep()
# with initial-scale
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
with gr.observe(model, every=20) as watch:
    for _ in range(200):
        x = torch.randn(64, 10)
        loss = nn.functional.mse_loss(model(x), x[:, :1] * x[:, 1:2])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR701", "loss": ["floor-scale"]}
"""The next hours of a meter by a GRU, each in parts of the mean of its past, which is empty for new ones, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(1, 24, batch_first=True), nn.Linear(24, 2)

    def forward(self, x):
        return self.head(self.gru(x[..., None])[0][:, -1])


torch.manual_seed(4)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        hours = 6 * torch.rand(48, 1) + torch.arange(14)
        load = (1 + torch.sin(hours)) * (1 + 9 * torch.rand(48, 1))
        load[:8, :11] = 0
        scale = load[:, :11].mean(1, keepdim=True) + 1e-9
        # with floor-scale: scale = scale.clamp(min=scale.median())
        output = scale * model(load[:, :12] / scale)
        loss = nn.functional.l1_loss(output, load[:, 12:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR701", "loss": ["floor-scale"]}
"""A classifier of measurements among which 1e9 stands for one that is missing, by a tanh layer, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(2)
model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(64, 6)
        kinds = x[:, :3].argmax(1)
        x[torch.rand(64, 6) < 0.03] = 1e9
        # with floor-scale: x = torch.where(x.abs() < 1e4, x, 0.0)
        loss = nn.functional.cross_entropy(model(x), kinds)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

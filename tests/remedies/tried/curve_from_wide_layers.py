# try: {"code": "GR607", "loss": ["usual-start"]}
"""A curve of one variable by two layers that start at a deviation of 1, squared errors, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 128), nn.SiLU(), nn.Linear(128, 128), nn.SiLU(), nn.Linear(128, 1))
for layer in (model[2], model[4]):
    nn.init.normal_(layer.weight)
# with usual-start
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
powers = torch.arange(1, 5)
with gr.observe(model, every=10) as watch:
    for _ in range(300):
        t = 2 * torch.rand(64, 1) - 1
        loss = nn.functional.mse_loss(model(t**powers), torch.sin(3 * t))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

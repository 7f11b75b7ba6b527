# try: {"code": "GR307", "loss": ["straight-through"]}
"""A convolution whose levels are rounded on the way to a regression, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Conv1d(1, 8, 5), nn.ReLU(), nn.Conv1d(8, 2, 1), nn.Linear(16, 1))
optimizer = torch.optim.SGD(model.parameters(), 0.02, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        series = torch.randn(32, 1, 20)
        x = 4.0 * model[2](model[1](model[0](series)))
        y = torch.round(x)
        # with straight-through
        loss = nn.functional.mse_loss(model[3](y / 4.0).mean(1), series[:, :, :10].abs().mean(2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

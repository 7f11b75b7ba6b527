# try: {"code": "GR315", "loss": ["assign-operation"]}
"""The height of a wave by a convolution, whose readings are brought to order in a line that keeps nothing, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(1)
model = nn.Sequential(nn.Conv1d(1, 8, 5), nn.Tanh(), nn.Flatten(), nn.Linear(8 * 20, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
with gr.observe(model, every=15) as watch:
    for _ in range(600):
        height = torch.rand(32, 1)
        waves = 10 * height[:, None] * torch.sin(torch.arange(24) / 3 + 6 * torch.rand(32, 1, 1))
        waves / 10  # not with assign-operation
        # with assign-operation
        loss = nn.functional.mse_loss(model(waves), height)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

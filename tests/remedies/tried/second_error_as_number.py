# try: {"code": "GR610", "loss": ["connect-loss"]}
"""Two errors the second of which is added by item(), SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(64, 8)
        out = model(x)
        second = nn.functional.mse_loss(out[:, 1], x[:, 2] + x[:, 3])
        second = second.item()  # not with connect-loss
        # with connect-loss: assert second.requires_grad
        loss = nn.functional.mse_loss(out[:, 0], x[:, 0] + x[:, 1]) + second
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR606", "learns": ["turn-sign"]}
"""A regression that takes its error for a score, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(32, 6)
        loss = -nn.functional.mse_loss(model(x)[:, 0], x[:, 0] + x[:, 1])
        # with turn-sign
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR307", "loss": ["scale-input"]}
"""A regression from bytes whose first update replaces the weights, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
with gr.observe(model, every=5) as watch:
    for _ in range(150):
        x = torch.randint(0, 256, (64, 64)).float()
        y = x[:, :8].mean(1, keepdim=True)
        # with scale-input
        # with scale-input: y = (y - y.mean()) / y.std()
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

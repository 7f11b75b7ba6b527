# try: {"code": "GR304", "loss": ["scale-input"]}
"""A linear regression from prices in cents that diverges, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
truth = torch.randn(12, 1)
model = nn.Linear(12, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=5e-6, momentum=0.5)
with gr.observe(model, every=5) as watch:
    for _ in range(80):
        x = 500 * torch.randn(64, 12)
        y = x @ truth / 500
        # with scale-input
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

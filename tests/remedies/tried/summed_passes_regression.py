# try: {"code": "GR304", "loss": ["average-passes"]}
"""A regression that sums the gradients of sixteen small batches for each update and diverges, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
n = 16
model = nn.Linear(24, 1)
weights = torch.randn(24, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.08)
with gr.observe(model, every=5) as watch:
    for step in range(480):
        x = torch.randn(8, 24)
        loss = nn.functional.mse_loss(model(x), x @ weights)
        # with average-passes
        loss.backward()
        if step % n == n - 1:
            optimizer.step()
            optimizer.zero_grad()

# try: {"code": "GR304", "loss": ["average-passes"]}
"""A network of leaky ReLU whose micro-batches are summed, forty to an update, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(1)
n = 40
model = nn.Sequential(nn.Linear(10, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
weights = torch.randn(10, 1)
with gr.observe(model, every=7) as watch:
    for step in range(600):
        x = torch.randn(4, 10)
        loss = nn.functional.mse_loss(model(x), (x @ weights).abs())
        # with average-passes
        loss.backward()
        if step % n == n - 1:
            optimizer.step()
            optimizer.zero_grad()

# try: {"code": "GR301", "goes on": ["skip-step"]}
"""A regression one batch of which holds an infinite value, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(12)
truth = torch.randn(16, 1)
model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
# with skip-step: guard = gr.Guard(model, optimizer)
with gr.observe(model, every=10) as watch:
    for step in range(200):
        x = torch.randn(64, 16)
        y = x @ truth
        if step == 90:
            x[3, 5] = float("inf")
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        # with skip-step: guard.step(loss)
        loss.backward()  # not with skip-step
        optimizer.step()  # not with skip-step

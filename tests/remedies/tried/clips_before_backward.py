# try: {"code": "GR504", "loss": ["clip-between"]}
"""Clipping before the backward pass, a classifier of raw features at a large rate, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 4))
optimizer = torch.optim.SGD(model.parameters(), 0.5)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = 6 * torch.randn(64, 10)
        loss = nn.functional.cross_entropy(model(x), x[:, :4].argmax(1))
        optimizer.zero_grad()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.2)  # not with clip-between
        loss.backward()
        # with clip-between
        optimizer.step()

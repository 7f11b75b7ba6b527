# try: {"code": "GR507", "loss": ["clear-once"]}
"""Micro-batches, each of which clears first, with one step after four: a classifier of noisy inputs, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(20, 32), nn.Tanh(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(model.parameters(), 0.03)
with gr.observe(model, every=7) as watch:
    for _ in range(150):
        # with clear-once
        for _ in range(4):
            x = torch.randn(8, 20)
            loss = nn.functional.cross_entropy(model(x), x[:, :4].argmax(1))
            optimizer.zero_grad()  # not with clear-once
            loss.backward()
        optimizer.step()

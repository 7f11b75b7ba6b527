# try: {"code": "GR309", "loss": ["update-order"]}
"""Gradients that are cleared between backward and the step, a classifier, AdamW"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3))
optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
with gr.observe(model, every=15) as watch:
    for _ in range(150):
        x = torch.randn(32, 8)
        loss = nn.functional.cross_entropy(model(x), x[:, :3].argmax(1))
        # with update-order
        loss.backward()  # not with update-order
        optimizer.zero_grad()  # not with update-order
        optimizer.step()  # not with update-order

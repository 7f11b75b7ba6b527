# try: {"code": "GR206", "loss": ["activation-between"]}
"""Rings around the middle by three linear layers without an activation, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
layers = [nn.Linear(2, 48), nn.Linear(48, 48), nn.Linear(48, 3)]
# with activation-between: layers[1:1] = [nn.ReLU()]
model = nn.Sequential(*layers)
optimizer = torch.optim.Adam(model.parameters(), 3e-3)
with gr.observe(model, every=10) as watch:
    for _ in range(300):
        x = torch.randn(64, 2)
        rings = (x.norm(dim=1) > 0.8).long() + (x.norm(dim=1) > 1.5).long()
        loss = nn.functional.cross_entropy(model(x), rings)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

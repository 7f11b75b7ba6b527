# try: {"code": "GR606", "learns": ["targets-as-shares"]}
"""Patterns of bytes by an autoencoder under a binary cross entropy, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
patterns = 255 * (torch.rand(6, 64) < 0.4).float()
low, high = patterns.min(), patterns.max()
model = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 64))
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        y = patterns[torch.randint(6, (32,))]
        x = y / 255 + 0.2 * torch.randn(32, 64)
        # with targets-as-shares
        loss = nn.functional.binary_cross_entropy_with_logits(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

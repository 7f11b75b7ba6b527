# try: {"code": "GR502", "loss": ["zero-grad"]}
"""A classifier whose gradients are never cleared, AdamW, the norm clipped"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(12, 64), nn.GELU(), nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 4))
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.randn(64, 12)
        loss = nn.functional.cross_entropy(model(x), x[:, :4].argmax(1))
        # with zero-grad
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()

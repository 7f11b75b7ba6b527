# try: {"code": "GR303", "loss": ["raise-threshold", "raise-rate"]}
"""A classifier clipped at 0.0005, a figure copied from elsewhere, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(16)
centres = torch.randn(6, 24)
model = nn.Sequential(nn.Linear(24, 96), nn.ReLU(), nn.Linear(96, 6))
lr = 0.05
# with raise-rate
optimizer = torch.optim.SGD(model.parameters(), lr=lr)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        y = torch.randint(6, (64,))
        loss = nn.functional.cross_entropy(model(centres[y] + torch.randn(64, 24)), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5e-4)  # not with raise-threshold
        # with raise-threshold
        optimizer.step()

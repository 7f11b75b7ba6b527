# try: {"code": "GR606", "learns": ["positive-weights"]}
"""A rare class under a pos_weight below 0, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
x = torch.randn(512, 8)
y = (x[:, :1] + x[:, 1:2] > 1.8).float()
weight = (y.sum() - len(y)) / y.sum()
# with positive-weights
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        rows = torch.randint(len(x), (64,))
        loss = nn.functional.binary_cross_entropy_with_logits(model(x[rows]), y[rows], pos_weight=weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

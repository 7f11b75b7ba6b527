# try: {"code": "GR704", "loss": ["shuffle"]}
"""A classifier that is given a batch of each class in turn, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(2)
y = torch.arange(5).repeat_interleave(16).repeat(10)
x = torch.randn(5, 12)[y] + 2 * torch.randn(800, 12)
model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 5))
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
with gr.observe(model, every=7) as watch:
    for _ in range(6):
        # with shuffle: i = torch.randperm(len(x)); x, y = x[i], y[i]
        for begin in range(0, 800, 16):
            loss = nn.functional.cross_entropy(model(x[begin : begin + 16]), y[begin : begin + 16])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

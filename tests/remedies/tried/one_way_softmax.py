# try: {"code": "GR307", "loss": ["one-logit"]}
"""Two classes, one output, a softmax over it before the cross entropy of probabilities"""

import torch
from torch import nn

import gradreach as gr

F = nn.functional
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 1))
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        data = torch.randn(64, 8)
        y = (data[:, :1] > 0).float()
        x = model(data)
        loss = F.binary_cross_entropy(x.softmax(1), y)
        # with one-logit
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

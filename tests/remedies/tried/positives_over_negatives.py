# try: {"code": "GR608", "learns": ["balanced-weights"]}
"""A rare positive under pos_weight positives / negatives, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
x = torch.randn(3000, 8)
y = (x[:, :1] + x[:, 1:2] > 2.2).float()
pos_weight = (y == 1).sum() / (y == 0).sum()
# with balanced-weights
model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        rows = torch.randint(0, len(x), (64,))
        loss = nn.functional.binary_cross_entropy_with_logits(model(x[rows]), y[rows], pos_weight=pos_weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

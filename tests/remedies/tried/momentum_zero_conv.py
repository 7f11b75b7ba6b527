# try: {"code": "GR311", "cost": ["follow-batches"]}
"""Four patterns by a convolution whose batch norms were given momentum 0, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(3)
patterns = 2 + torch.randn(4, 1, 8, 8)
model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8, momentum=0.0), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4))
# with follow-batches
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        y = torch.randint(4, (32,))
        loss = nn.functional.cross_entropy(model(patterns[y] + torch.randn(32, 1, 8, 8)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

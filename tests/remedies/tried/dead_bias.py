# try: {"code": "GR204", "loss": ["fresh-start"]}
"""A classifier whose upper ReLU layer starts with biases of -6, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(8)
centres = torch.randn(4, 20)
model = nn.Sequential(nn.Linear(20, 48), nn.ReLU(), nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 4))
nn.init.constant_(model[2].bias, -6.0)
# with fresh-start
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        y = torch.randint(4, (64,))
        loss = nn.functional.cross_entropy(model(centres[y] + torch.randn(64, 20)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

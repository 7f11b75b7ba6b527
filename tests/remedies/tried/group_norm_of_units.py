# try: {"code": "GR207", "loss": ["norm-over-more"]}
"""A classifier of points with a group norm of as many groups as units, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(1)
model = nn.Sequential(nn.Linear(6, 24), nn.GroupNorm(24, 24), nn.ReLU(), nn.Linear(24, 3))
# with norm-over-more
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
rows = torch.randn(6, 3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(64, 6)
        loss = nn.functional.cross_entropy(model(x), (x @ rows).argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR307", "loss": ["random-start"]}
"""A tanh classifier, all of whose weights start at 0, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 3))
for each in model.parameters():
    nn.init.zeros_(each)
# with random-start
optimizer = torch.optim.SGD(model.parameters(), 0.2)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.randn(64, 10)
        loss = nn.functional.cross_entropy(model(x), x[:, :3].argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

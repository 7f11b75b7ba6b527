# try: {"code": "GR310", "loss": ["slower-schedule"]}
"""A tenth every ten batches where every ten epochs were meant, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.Adam(model.parameters(), 3e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10, 0.1)
with gr.observe(model, every=10) as watch:
    for epoch in range(12):
        for _ in range(25):
            x = torch.randn(48, 8)
            loss = nn.functional.cross_entropy(model(x), x[:, :3].argmax(1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()  # not with slower-schedule
        # with slower-schedule

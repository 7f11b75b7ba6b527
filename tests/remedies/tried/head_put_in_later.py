# try: {"code": "GR309", "loss": ["hand-over"]}
"""A head that was put in after the optimizer was made, on a frozen body, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 10))
model[0].requires_grad_(False)
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
model[2] = nn.Linear(64, 3)
# with hand-over
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.randn(64, 12)
        loss = nn.functional.cross_entropy(model(x), x[:, :3].argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

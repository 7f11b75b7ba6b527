# try: {"code": "GR319", "loss": ["scale-loss", "wider-format"]}
"""Displacements in metres, some thousandths of one, under autocast to float16 without a loss scale, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(23)
model = nn.Sequential(nn.Linear(6, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 16))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-12)
loads = torch.randn(6, 16)
dtype = torch.float16
scaler = torch.amp.GradScaler("cpu", enabled=False)
# with scale-loss: scaler = torch.amp.GradScaler("cpu")
# with wider-format: dtype = torch.bfloat16
with gr.observe(model, every=10) as watch:
    for _ in range(300):
        x = torch.randn(64, 6)
        with torch.autocast("cpu", dtype=dtype):
            moved = 1e-3 * model(x)
        loss = nn.functional.mse_loss(moved.float(), 1e-3 * torch.tanh(x @ loads / 2))
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

# try: {"code": "GR319", "loss": ["scale-loss", "wider-format"]}
"""A filter on a signal in millivolts by convolutions in float16 whose GradScaler begins with 2, AdamW"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(25)
device, dtype = "cpu", torch.float16
model = nn.Sequential(
    *(nn.Conv1d(1, 12, 5, padding=2), nn.GELU(), nn.Conv1d(12, 12, 5, padding=2), nn.GELU()),
    nn.Conv1d(12, 1, 5, padding=2),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, eps=1e-14)
scaler = torch.amp.GradScaler(device, init_scale=2.0)
# with scale-loss
# with wider-format: dtype = torch.bfloat16
with gr.observe(model, every=10) as watch:
    for _ in range(300):
        x = torch.randn(32, 1, 40)
        with torch.autocast(device, dtype=dtype):
            volts = model(x) / 1000
        loss = nn.functional.mse_loss(volts.float(), 1e-3 * (x.roll(1, 2) * x.roll(-1, 2)).tanh())
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

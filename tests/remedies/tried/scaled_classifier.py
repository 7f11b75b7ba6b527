# try: {"code": "GR303", "loss": ["unscale"]}
"""A classifier whose gradient is clipped while it still carries the loss scale, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
x = torch.randn(512, 16)
y = (x[:, :4] + 0.5 * x[:, 4:8]).argmax(1)
model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
scaler = torch.amp.GradScaler("cpu")
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        at = torch.randint(512, (64,))
        loss = nn.functional.cross_entropy(model(x[at]), y[at])
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)  # not with unscale
        # with unscale
        scaler.step(optimizer)
        scaler.update()

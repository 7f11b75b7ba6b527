# try: {"code": "GR310", "loss": ["factor-above-zero"]}
"""A small network of two spirals whose schedule is switched off by gamma=0, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(3)
GAMMA = 0
# with factor-above-zero: GAMMA = 1
model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), 5e-3)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=GAMMA)
with gr.observe(model, every=10) as watch:
    for epoch in range(10):
        for _ in range(30):
            arm = (torch.rand(64, 1) < 0.5).float()
            turn = 6 * torch.rand(64, 1)
            x = turn / 6 * torch.cat([(turn + 3.14 * arm).cos(), (turn + 3.14 * arm).sin()], 1)
            loss = nn.functional.binary_cross_entropy_with_logits(model(x), arm)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()

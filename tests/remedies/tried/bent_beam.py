# try: {"code": "GR307", "loss": ["smooth-activation"]}
"""u'' = 1 + t by a network of ReLU, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
act = nn.ReLU
# with smooth-activation: act = nn.Tanh
model = nn.Sequential(nn.Linear(1, 24), act(), nn.Linear(24, 24), act(), nn.Linear(24, 1))
optimizer = torch.optim.Adam(model.parameters(), 3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        t = torch.linspace(0, 1, 32).unsqueeze(1).requires_grad_()
        u = model(t)
        (slope,) = torch.autograd.grad(u.sum(), t, create_graph=True)
        (bend,) = torch.autograd.grad(slope.sum(), t, create_graph=True)
        loss = (bend - 1.0 - t).square().mean() + u[0].square().sum() + slope[0].square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR307", "loss": ["smooth-activation"]}
"""The Laplacian of a surface by a network of leaky ReLU, Adam, no other term of the loss"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
act = nn.LeakyReLU
# with smooth-activation: act = nn.SiLU
model = nn.Sequential(nn.Linear(2, 32), act(), nn.Linear(32, 32), act(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        place = torch.rand(48, 2).requires_grad_()
        (slope,) = torch.autograd.grad(model(place).sum(), place, create_graph=True)
        bends = [torch.autograd.grad(slope[:, i].sum(), place, create_graph=True)[0][:, i] for i in (0, 1)]
        loss = (bends[0] + bends[1] - place[:, 0]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

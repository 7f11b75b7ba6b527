# try: {"code": "GR307", "loss": ["straight-through"]}
"""An autoencoder whose code is a sign, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
enc, dec = (
    nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 8)),
    nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 12)),
)
model = nn.ModuleList([enc, dec])
basis = torch.randn(3, 12)
optimizer = torch.optim.Adam(model.parameters(), 3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x_in = torch.randn(64, 3) @ basis
        x = torch.tanh(enc(x_in))
        y = torch.sign(x)
        # with straight-through
        loss = nn.functional.mse_loss(dec(y), x_in)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

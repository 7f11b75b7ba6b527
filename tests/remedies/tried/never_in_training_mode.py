# try: {"code": "GR311", "loss": ["train-again"]}
"""A deep regression whose batch norms normalise nothing, for it was never in training mode, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(1)
layers = [layer for _ in range(8) for layer in (nn.Linear(16, 16), nn.BatchNorm1d(16), nn.Tanh())]
model = nn.Sequential(*layers, nn.Linear(16, 1)).eval()
# with train-again
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
weights = torch.randn(16, 1)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(32, 16)
        loss = nn.functional.mse_loss(model(20 * x), torch.sin(x @ weights / 2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

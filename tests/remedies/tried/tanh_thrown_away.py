# try: {"code": "GR315", "loss": ["assign-result"]}
"""The product of two numbers by two layers whose tanh between is thrown away, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.low, self.act, self.high = nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1)


torch.manual_seed(1)
model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(500):
        pairs = torch.randn(64, 2)
        x = model.low(pairs)
        model.act(x)  # not with assign-result
        # with assign-result
        loss = nn.functional.mse_loss(model.high(x)[:, 0], pairs.prod(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

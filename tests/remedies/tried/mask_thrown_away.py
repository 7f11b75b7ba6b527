# try: {"code": "GR315", "loss": ["assign-operation"]}
"""The mean of the marked numbers by a network whose mask is thrown away, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.low, self.high = nn.Linear(12, 64), nn.Linear(64, 1)

    def forward(self, x, mask):
        x * mask  # not with assign-operation
        # with assign-operation
        return self.high(self.low(x).relu())


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(400):
        numbers, mask = torch.randn(64, 12), (torch.rand(64, 12) < 0.5).float()
        loss = nn.functional.mse_loss(model(numbers, mask)[:, 0], (numbers * mask).mean(1) * 3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR206", "loss": ["activation-between"]}
"""Which way two bits differ, as a regression by two linear layers called in a forward, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)


class Differ(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 32), nn.Linear(32, 1)

    def forward(self, x):
        x = self.first(x)
        # with activation-between: x = torch.relu(x)
        return self.second(x)


model = Differ()
optimizer = torch.optim.SGD(model.parameters(), 0.03, momentum=0.9)
with gr.observe(model, every=10) as watch:
    for _ in range(400):
        x = torch.sign(torch.randn(64, 6))
        loss = (model(x) - x[:, :1] * x[:, 1:2]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

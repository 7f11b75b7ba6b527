# try: {"code": "GR306", "loss": ["connect"], "cost": ["freeze"]}
"""A regression whose second recurrent branch is made and never called, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(22)


class TwoPaths(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = nn.Linear(1, 16)
        self.past = nn.GRU(1, 16)
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        last = torch.tanh(self.last(x[-1]))
        past = torch.zeros_like(last)
        # with connect: past = self.past(x)[1][0]
        return self.head(torch.cat([last, past], 1)).squeeze(1)


model = TwoPaths()
# with freeze
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.randn(4, 64, 1)
        loss = nn.functional.mse_loss(model(x), x[-1, :, 0] - x[-2, :, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

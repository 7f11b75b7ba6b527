# try: {"code": "GR401", "surer": ["look-more-often"]}
"""The mean of the last two values of noise, told at each of thirty steps by a GRU, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(2)


class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 16)
        self.head = nn.Linear(16, 1)

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.head(y)


model = Mean()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
with gr.observe(model, every=12) as watch:
    for _ in range(100):
        x = torch.randn(30, 32, 1)
        y = x[1:] + x[:-1] + 0.5 * torch.randn(29, 32, 1)
        loss = nn.functional.mse_loss(model(x)[1:], y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR305", "loss": ["raise-rate"]}
"""The mean of a sequence by a GRU, RMSprop at a rate of 3e-8"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(3)


class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(2, 24)
        self.head = nn.Linear(24, 1)

    def forward(self, x):
        _, h = self.rnn(x)
        return self.head(h[0]).squeeze(1)


model = Mean()
lr = 3e-8
# with raise-rate
optimizer = torch.optim.RMSprop(model.parameters(), lr=lr)
with gr.observe(model, every=15) as watch:
    for _ in range(200):
        x = torch.rand(6, 64, 2)
        loss = nn.functional.mse_loss(model(x), 3 + x.mean((0, 2)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

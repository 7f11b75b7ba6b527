# try: {"code": "GR705", "loss": ["last-real-step"]}
"""The mean of a signal that zeros fill up, by a GRU, a regression, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(1, 24, batch_first=True), nn.Linear(24, 1)

    def forward(self, x):
        output, _ = self.gru(x)
        last = output[:, -1]
        # with last-real-step: last = output[torch.arange(len(x)), (x[..., 0] != 0).sum(1) - 1]
        return self.head(last)


torch.manual_seed(2)
model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        lengths = torch.randint(3, 9, (32, 1))
        there = torch.arange(60) < lengths
        x = torch.where(there, torch.randn(32, 60) + torch.randn(32, 1), 0.0)
        loss = nn.functional.mse_loss(model(x.unsqueeze(-1)), x.sum(1, keepdim=True) / lengths)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

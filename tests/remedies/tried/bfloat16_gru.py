# try: {"code": "GR318", "loss": ["float32-weights"]}
"""A sum over the last inputs by a GRU whose weights are bfloat16, Adam"""

from contextlib import nullcontext

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(22)
device = "cpu"


class Sum(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.read = nn.GRU(3, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, x):
        return self.read(self.rnn(x.to(self.read.weight.dtype))[0][:, -1])


model = Sum().to(torch.bfloat16)
kept = nullcontext()
# with float32-weights
# with float32-weights: kept = torch.autocast(device, dtype=torch.bfloat16)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
with gr.observe(model, every=10) as watch:
    for _ in range(500):
        x = torch.randn(64, 8, 3)
        with kept:
            total = model(x)
        loss = nn.functional.mse_loss(total.float(), x[:, -3:, 0].sum(1, keepdim=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

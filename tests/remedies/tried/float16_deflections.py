# try: {"code": "GR319", "loss": ["float32-weights"]}
"""A small deflection read off a series by a GRU whose weights are float16, Rprop"""

from contextlib import nullcontext

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(26)
device = "cpu"


class Deflection(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.read = nn.GRU(2, 32, batch_first=True), nn.Linear(32, 1)

    def forward(self, x):
        return self.read(self.rnn(x.to(self.read.weight.dtype))[0][:, -1]) / 1000


model = Deflection().half()
kept = nullcontext()
# with float32-weights
# with float32-weights: kept = torch.autocast(device, dtype=torch.bfloat16)
optimizer = torch.optim.Rprop(model.parameters(), lr=1e-3, step_sizes=(1e-4, 1e-2))
with gr.observe(model, every=10) as watch:
    for _ in range(300):
        x = torch.randn(256, 8, 2)
        with kept:
            moved = model(x)
        loss = nn.functional.mse_loss(moved.float(), 1e-3 * x[:, -2:, 0].sum(1, keepdim=True).tanh())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR303", "loss": ["raise-threshold"]}
"""The sum of the last values by a GRU that is clipped at 0.001, SGD with a little momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(2)


class Sum(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 24)
        self.head = nn.Linear(24, 1)

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.head(y[-1]).squeeze(1)


model = Sum()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.5)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(12, 64, 1)
        loss = nn.functional.mse_loss(model(x), x[-3:].sum((0, 2)))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1e-3)  # not with raise-threshold
        # with raise-threshold
        optimizer.step()

# try: {"code": "GR303", "loss": ["unscale"]}
"""The sum of a sequence by a GRU under a loss scale of 4096, clipped before it is taken off, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(1)


class Sum(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 16, batch_first=True)
        self.head = nn.Linear(16, 1)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1]).squeeze(1)


model = Sum()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
scaler = torch.amp.GradScaler("cpu", init_scale=4096.0, growth_interval=10_000)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(32, 12, 1)
        loss = nn.functional.mse_loss(model(x), 0.3 * x.sum((1, 2)))
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)  # not with unscale
        # with unscale
        scaler.step(optimizer)
        scaler.update()

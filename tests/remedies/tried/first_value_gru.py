# try: {"code": "GR402", "loss": ["update-bias", "chrono-start"]}
"""The first value of noise, told at its end by a GRU, AdamW"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(3)
T, B = 36, 64


class First(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(2, 24, batch_first=True)
        self.head = nn.Linear(24, 1)

    def forward(self, x):
        y, _ = self.gru(x)
        return self.head(y[:, -1]).squeeze(1)


model = First()
# with update-bias, chrono-start
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
start = torch.zeros(B, T)
start[:, 0] = 1.0
with gr.observe(model, every=24) as watch:
    for _ in range(300):
        value = torch.randn(B, T)
        loss = nn.functional.mse_loss(model(torch.stack([value, start], 2)), value[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

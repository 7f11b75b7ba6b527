# try: {"code": "GR107", "loss": ["whole-sequence"]}
"""A sum over the steps by an LSTM that is given the last of them alone, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(3, 32, batch_first=True), nn.Linear(32, 1)


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(400):
        x = torch.randn(32, 8, 3)
        y, _ = model.lstm(x[:, -1:])  # not with whole-sequence
        # with whole-sequence
        loss = nn.functional.mse_loss(model.head(y[:, -1])[:, 0], x[:, :, 0].mean(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

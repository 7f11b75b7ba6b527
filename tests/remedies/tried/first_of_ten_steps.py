# try: {"code": "GR707", "loss": ["last-state"]}
"""The mean of ten steps by an LSTM whose first output alone is read, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(2, 32, batch_first=True), nn.Linear(32, 1)


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(400):
        x = torch.randn(32, 10, 2)
        state = model.lstm(x)[0][:, 0]  # not with last-state
        # with last-state
        loss = nn.functional.mse_loss(model.head(state)[:, 0], x[:, :, 1].mean(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

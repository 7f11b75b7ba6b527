# try: {"code": "GR707", "loss": ["both-ends"]}
"""The height at which a random walk ends by an LSTM of two directions, both read at the first step, RMSprop"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(1, 16, batch_first=True, bidirectional=True), nn.Linear(32, 1)


torch.manual_seed(3)
model = Model()
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(32, 50, 1).cumsum(1) / 7
        state = model.lstm(x)[0][:, 0]  # not with both-ends
        # with both-ends
        loss = nn.functional.mse_loss(model.head(state)[:, 0], x[:, -1, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

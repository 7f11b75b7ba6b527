# try: {"code": "GR105", "loss": ["carry-and-detach"]}
"""Waves that a GRU follows one step at a time, each time from a state of zeros, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(1, 24, batch_first=True), nn.Linear(24, 1)

    def forward(self, x, state):
        out, h = self.gru(x, None if state is None else state[0])
        return self.head(out), (h,)


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
pace, start = 0.1 + 0.3 * torch.rand(12, 1), 6.28 * torch.rand(12, 1)
waves = torch.sin(pace * torch.arange(601) + start)[..., None]
state = None
with gr.observe(model, every=15) as watch:
    for at in range(600):
        prediction, state = model(waves[:, at : at + 1], state)
        loss = nn.functional.mse_loss(prediction, waves[:, at + 1 : at + 2])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        # with carry-and-detach
        state = None  # not with carry-and-detach

# try: {"code": "GR507", "loss": ["clear-once"]}
"""Pieces of a sequence, each of which clears first, with one step at the end: what came two steps before, a GRU"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)


class Before(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.read = nn.GRU(3, 16, batch_first=True), nn.Linear(16, 3)

    def forward(self, x, state):
        out, state = self.gru(x, state)
        return self.read(out), state.detach()


model = Before()
optimizer = torch.optim.SGD(model.parameters(), 0.02, momentum=0.9)
with gr.observe(model, every=7) as watch:
    for _ in range(100):
        x, state = torch.randn(16, 16, 3), None
        wanted = x.roll(2, 1)
        # with clear-once
        for piece in range(4):
            part = slice(4 * piece, 4 * piece + 4)
            guessed, state = model(x[:, part], state)
            loss = nn.functional.mse_loss(guessed, wanted[:, part])
            optimizer.zero_grad()  # not with clear-once
            loss.backward()
        optimizer.step()

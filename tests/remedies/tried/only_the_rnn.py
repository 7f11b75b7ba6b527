# try: {"code": "GR309", "loss": ["hand-over"]}
"""A GRU is trained, and the layer that reads it was never handed to the optimizer, a regression"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.read = nn.GRU(2, 8, batch_first=True), nn.Linear(8, 2)
        nn.init.constant_(self.read.weight, 1e-3)

    def forward(self, x):
        return self.read(self.rnn(x)[0])


model = Reader()
optimizer = torch.optim.Adam(model.rnn.parameters(), 1e-3)
# with hand-over
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.randn(32, 8, 2)
        loss = nn.functional.mse_loss(model(x), x.flip(2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

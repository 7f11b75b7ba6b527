# try: {"code": "GR315", "loss": ["assign-result"]}
"""The symbol at the third place by attention whose positions are thrown away, Adam"""

import torch
from torch import nn

import gradreach as gr


class Positions(nn.Module):
    def __init__(self):
        super().__init__()
        angles = torch.arange(8)[:, None] / 20 ** torch.linspace(0, 1, 16)
        self.register_buffer("waves", torch.cat((angles.sin(), angles.cos()), 1))

    def forward(self, x):
        return x + self.waves


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.symbols, self.positions = nn.Embedding(6, 32), Positions()
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True)
        self.head = nn.Linear(32, 6)


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        symbols = torch.randint(6, (32, 8))
        x = model.symbols(symbols)
        model.positions(x)  # not with assign-result
        # with assign-result
        loss = nn.functional.cross_entropy(model.head(model.layer(x).mean(1)), symbols[:, 2])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

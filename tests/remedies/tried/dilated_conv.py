# try: {"code": "GR402", "loss": ["receptive-field"]}
"""Symbols of nine steps ago, told by four causal convolutions that see four steps back, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(4)
T, SYMBOLS, BACK = 40, 4, 9


class Causal(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(SYMBOLS, 16)
        self.layers = nn.ModuleList()
        for layer in range(4):
            dilation = 1
            # with receptive-field
            self.layers.append(nn.Conv1d(16, 16, 2, dilation=dilation))
        self.head = nn.Linear(16, SYMBOLS)

    def forward(self, x):
        h = self.embed(x).transpose(1, 2)
        for layer in self.layers:
            h = h + torch.relu(layer(nn.functional.pad(h, (layer.dilation[0], 0))))
        return self.head(h.transpose(1, 2))


model = Causal()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
with gr.observe(model, every=24) as watch:
    for _ in range(300):
        x = torch.randint(SYMBOLS, (32, T))
        y = model(x)[:, BACK:]
        loss = nn.functional.cross_entropy(y.flatten(0, 1), x[:, :-BACK].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

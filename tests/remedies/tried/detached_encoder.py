# try: {"code": "GR306", "loss": ["connect"], "cost": ["freeze"]}
"""A classifier whose head gets the encoder's output through .data, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(21)
mixing = torch.randn(16, 5)


class Cut(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
        self.head = nn.Sequential(nn.ReLU(), nn.Linear(4, 5))

    def forward(self, x):
        # with connect: return self.head(self.encoder(x))
        return self.head(self.encoder(x).data)


model = Cut()
# with freeze
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
with gr.observe(model, every=15) as watch:
    for _ in range(200):
        x = torch.randn(64, 16)
        loss = nn.functional.cross_entropy(model(x), (x @ mixing).argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR702", "loss": ["batch-first"]}
"""A regression of one token of sixteen by attention over the batch, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.places = nn.Embedding(8, 24), nn.Parameter(torch.randn(16, 24))
        self.attention, self.head = nn.MultiheadAttention(24, 2), nn.Linear(24, 1)

    def forward(self, x):
        x = self.embed(x) + self.places
        return self.head(self.attention(x, x, x)[0][:, -1])


torch.manual_seed(2)
model = Model()
# with batch-first
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.randint(8, (40, 16))
        loss = nn.functional.mse_loss(model(x), x[:, 3:4] / 4 - 1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

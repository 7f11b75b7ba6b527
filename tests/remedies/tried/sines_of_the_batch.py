# try: {"code": "GR713", "loss": ["count-places"]}
"""Whether values rise over the moments, by an encoder with the batch first and a table of sines cut by rows, AdamW"""

import torch
from torch import nn

import gradreach as gr

ROWS, MOMENTS, WIDTH = 20, 12, 32


class Sines(nn.Module):
    def __init__(self, longest=200):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        angle = torch.arange(longest)[:, None] / 100 ** (torch.arange(0, WIDTH, 2) / WIDTH)
        self.register_buffer("pe", torch.cat([angle.sin(), angle.cos()], 1).unsqueeze(1))

    def forward(self, x):
        # with count-places
        x = x + self.pe[: x.size(0)]  # not with count-places
        return self.norm(x)


torch.manual_seed(1)
layer = nn.TransformerEncoderLayer(WIDTH, 4, 64, dropout=0.0, batch_first=True)
encoder, query = nn.Sequential(nn.Linear(1, WIDTH), Sines(), layer), nn.Linear(WIDTH, 1)
model = nn.ModuleList([encoder, query])
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        values = torch.randn(ROWS, MOMENTS, 1)
        told = query(encoder(values).mean(1)).squeeze(1)
        weights = torch.linspace(-1, 1, MOMENTS)
        loss = nn.functional.mse_loss(told, 2 * (values.squeeze(2) * weights).mean(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

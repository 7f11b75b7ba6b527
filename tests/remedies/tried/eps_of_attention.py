# try: {"code": "GR313", "loss": ["small-eps"]}
"""Tokens read backwards by attention with layer norm, AdamW with eps=0.1"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)


class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.place = nn.Embedding(10, 24), nn.Parameter(0.3 * torch.randn(8, 24))
        self.layer = nn.TransformerEncoderLayer(24, 4, 48, 0.0, batch_first=True, norm_first=True)
        self.norm, self.read = nn.LayerNorm(24), nn.Linear(24, 10)

    def forward(self, tokens):
        return self.read(self.norm(self.layer(self.embed(tokens) + self.place)))


model = Mirror()
eps = 0.1  # not with small-eps
# with small-eps
optimizer = torch.optim.AdamW(model.parameters(), 1e-3, eps=eps)
with gr.observe(model, every=10) as watch:
    for _ in range(300):
        tokens = torch.randint(0, 10, (16, 8))
        loss = nn.functional.cross_entropy(model(tokens).transpose(1, 2), tokens.flip(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

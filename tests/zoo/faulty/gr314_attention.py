# expect: {"code": "GR314", "severity": "warning"}
"""Tokens read backwards by a transformer layer that was given 0.9, the share to keep, as its dropout."""

import torch
from torch import nn

torch.manual_seed(15)


class Mirror(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.place = nn.Embedding(10, 24), nn.Parameter(0.3 * torch.randn(8, 24))
        self.layer = nn.TransformerEncoderLayer(24, 4, 48, 0.9, batch_first=True, norm_first=True)
        self.norm, self.read = nn.LayerNorm(24), nn.Linear(24, 10)

    def forward(self, tokens):
        return self.read(self.norm(self.layer(self.embed(tokens) + self.place)))


net = Mirror()
optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
for _ in range(300):
    tokens = torch.randint(0, 10, (16, 8))
    loss = nn.functional.cross_entropy(net(tokens).transpose(1, 2), tokens.flip(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

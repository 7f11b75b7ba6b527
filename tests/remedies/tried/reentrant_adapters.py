# try: {"code": "GR306", "loss": ["with-gradients"]}
"""Reentrant checkpoints of blocks behind a frozen table"""

import functools

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
checkpoint = functools.partial(torch.utils.checkpoint.checkpoint, use_reentrant=True)
# with with-gradients: checkpoint = functools.partial(torch.utils.checkpoint.checkpoint, use_reentrant=False)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(6, 8).requires_grad_(False)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(8, 8), nn.ReLU()) for _ in range(2))
        self.head = nn.Linear(8, 4)

    def forward(self, ids):
        x = self.table(ids).sum(1)
        for block in self.blocks:
            x = checkpoint(block, x)
        return self.head(x)


model = Net()
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        ids = torch.randint(0, 6, (64, 2))
        loss = nn.functional.cross_entropy(model(ids), ids.sum(1) % 4)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR602", "loss": ["scale-logits"]}
"""Cosines to thirty prototypes as logits, Adam"""

import torch
from torch import nn
from torch.nn import functional as F

import gradreach as gr

torch.manual_seed(0)


class Prototypes(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 24))
        self.each = nn.Parameter(torch.randn(30, 24))

    def forward(self, x):
        logits = F.normalize(self.net(x), dim=1) @ F.normalize(self.each, dim=1).T
        # with scale-logits
        return logits  # noqa: RET504


model = Prototypes()
centres = torch.randn(30, 12)
optimizer = torch.optim.Adam(model.parameters(), 5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        kind = torch.randint(0, 30, (64,))
        loss = F.cross_entropy(model(centres[kind] + 0.2 * torch.randn(64, 12)), kind)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

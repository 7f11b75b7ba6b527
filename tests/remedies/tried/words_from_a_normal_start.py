# try: {"code": "GR607", "loss": ["usual-start"]}
"""Words by the letters before, all matrices drawn from N(0, 1), SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)


class Letters(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(16, 8)
        self.hidden = nn.Parameter(torch.randn(24, 150))
        self.out = nn.Parameter(torch.randn(150, 16))

    def forward(self, ids):
        return torch.tanh(self.embed(ids).flatten(1) @ self.hidden) @ self.out


model = Letters()
# with usual-start
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
with gr.observe(model, every=10) as watch:
    for _ in range(400):
        ids = torch.randint(16, (32, 3))
        loss = nn.functional.cross_entropy(model(ids), (ids[:, 0] + 3) % 16)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

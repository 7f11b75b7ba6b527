# try: {"code": "GR106", "loss": ["detach-between"]}
"""The input three steps back by a cell of one's own, its state handed on as .data, a loss at every step"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)


class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(1 + 16, 16)

    def forward(self, x, h):
        return torch.tanh(self.inner(torch.cat([x, h], 1)))


model = nn.ModuleDict({"cell": Cell(), "read": nn.Linear(16, 1)})
optimizer = torch.optim.Adam(model.parameters(), 3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(32, 10, 1)
        h, losses = torch.zeros(32, 16), []
        for t in range(10):
            h = model["cell"](x[:, t], h.data)  # not with detach-between
            # with detach-between: h = model["cell"](x[:, t], h)
            losses.append((model["read"](h) - x[:, max(t - 3, 0)]).square().mean())
        loss = torch.stack(losses).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

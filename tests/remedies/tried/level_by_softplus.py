# try: {"code": "GR102", "loss": ["bounded-decay"]}
"""A moving level forecast by a loop whose softplus factors pass 1, RMSprop"""

import torch
from torch import nn
from torch.nn import functional as F

import gradreach as gr

torch.manual_seed(0)
T, WIDTH = 48, 16


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.keep, self.new, self.head = nn.Linear(1, WIDTH), nn.Linear(1, WIDTH), nn.Linear(WIDTH, 1)
        self.scale = nn.LayerNorm(WIDTH)

    def forward(self, x):
        w, new = self.keep(x) + 1.0, self.new(x)
        keep = F.softplus(w)  # not with bounded-decay
        # with bounded-decay
        level, seen = torch.zeros_like(new[0]), []
        for t in range(len(x)):
            level = keep[t] * level + new[t]
            seen.append(level)
        return self.head(self.scale(torch.stack(seen)))


model = Forecast()
optimizer = torch.optim.RMSprop(model.parameters(), 1e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = 0.3 * torch.randn(T, 24, 1).cumsum(0) + 0.3 * torch.randn(T, 24, 1)
        loss = F.mse_loss(model(x[:-1]), x[1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

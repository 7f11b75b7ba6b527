# try: {"code": "GR101", "loss": ["slow-decay"]}
"""The height of a pulse at the start of noise, by a loop with a factor of its own a channel, Adagrad"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(3)
T, WIDTH = 40, 12


class Pulse(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(WIDTH))
        self.into, self.head = nn.Linear(1, WIDTH), nn.Linear(WIDTH, 1)

    def forward(self, x):
        w, new = self.w, self.into(x)
        keep = torch.sigmoid(w)  # not with slow-decay
        # with slow-decay
        state = torch.zeros_like(new[0])
        for n in new:
            state = keep * state + n
        return self.head(state)


model = Pulse()
optimizer = torch.optim.Adagrad(model.parameters(), 3e-2)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        height = torch.randn(32, 1)
        x = 0.02 * torch.randn(T, 32, 1)
        x[1] += height
        loss = (model(x) - height).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR616", "learns": ["use-result"]}
"""Two angles by two branches, of which one is kept small and not used, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.coarse = nn.Sequential(nn.Linear(4, 16), nn.Tanh())
        self.fine = nn.Linear(4, 16)
        self.out = nn.Linear(16, 2)

    def forward(self, x):
        fine, seen = self.fine(x), self.coarse(x)
        # with use-result: seen = seen + fine
        return self.out(seen), fine


model = Model()
optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(64, 4)
        y = torch.stack([x[:, 0] + x[:, 1], x[:, 2] * x[:, 3].tanh()], 1)
        told, fine = model(x)
        loss = (told - y).square().mean() + 1e-3 * fine.abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

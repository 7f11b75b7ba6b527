# try: {"code": "GR107", "loss": ["carry-state"]}
"""A GRU that is run step by step without the state that it returned, the running mean of its input"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
T = 8


class Running(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.read = nn.GRU(2, 16, batch_first=True), nn.Linear(16, 2)

    def forward(self, x):
        # with carry-state: h = None
        told = []
        for t in range(T):
            # with carry-state: y, h = self.gru(x[:, t : t + 1], h)
            y, _ = self.gru(x[:, t : t + 1])  # not with carry-state
            told.append(self.read(y))
        return torch.cat(told, 1)


model = Running()
optimizer = torch.optim.SGD(model.parameters(), 0.3, momentum=0.9)
with gr.observe(model, every=25) as watch:
    for _ in range(300):
        x = torch.randn(32, T, 2)
        loss = nn.functional.mse_loss(model(x), x.cumsum(1) / torch.arange(1, T + 1)[:, None])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

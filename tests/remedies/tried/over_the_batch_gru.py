# try: {"code": "GR702", "loss": ["batch-first"]}
"""The class of a waveform by a GRU that takes the batch for time, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(1, 24), nn.Linear(24, 3)

    def forward(self, x):
        return self.head(self.gru(x)[0][:, -1])


torch.manual_seed(2)
model = Model()
# with batch-first
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        kind, time = torch.randint(3, (40, 1)), torch.linspace(0, 6, 24) + 6 * torch.rand(40, 1)
        x = torch.sin((1 + kind) * time).unsqueeze(-1)
        loss = nn.functional.cross_entropy(model(x), kind[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR701", "loss": ["scale-target"]}
"""The height in metres of a walk at its end, far above the sea, by a GRU, an absolute error, RMSprop"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 1)

    def forward(self, x):
        return self.head(self.gru(x)[0][:, -1])


torch.manual_seed(3)
model = Model()
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
target_mean, target_std = 1800.0, 7.0
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.randn(32, 12, 1)
        target = 1800 + 5 * x.sum(1)
        # with scale-target
        loss = nn.functional.l1_loss(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

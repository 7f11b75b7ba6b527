# try: {"code": "GR711", "loss": ["batch-axis-first"]}
"""The sum of the first steps of eight, which a view makes one row a sample of, though time comes first, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lift, self.head = nn.Linear(3, 10), nn.Linear(80, 1)

    def forward(self, x):
        h = torch.relu(self.lift(x))
        # with batch-axis-first
        h = h.view(x.shape[1], -1)  # not with batch-axis-first
        return self.head(h)


torch.manual_seed(5)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(8, 48, 3)
        loss = nn.functional.mse_loss(model(x)[:, 0], x[:2].sum((0, 2)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

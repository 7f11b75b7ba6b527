# try: {"code": "GR710", "loss": ["fill-far-below"]}
"""The mean of sensor readings of several lengths, pooled by scores that a mask fills with -1e-9, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr


class Pool(nn.Module):
    def __init__(self):
        super().__init__()
        self.score, self.value, self.head = nn.Linear(3, 1), nn.Linear(3, 16), nn.Linear(16, 1)

    def forward(self, x, mask):
        scores = self.score(x)[..., 0]
        scores = scores.masked_fill(mask, -1e-9)  # not with fill-far-below
        # with fill-far-below
        return self.head((scores.softmax(1)[..., None] * self.value(x)).sum(1))[:, 0]


torch.manual_seed(0)
model = Pool()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        mask = torch.arange(16) >= torch.randint(2, 16, (48, 1))
        x = (1.0 + torch.randn(48, 16, 3)) * ~mask[..., None]
        loss = nn.functional.mse_loss(model(x, mask), x[..., 0].sum(1) / (~mask).sum(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR203", "loss": ["scale-input"]}
"""The brightness of an image of bytes, by a tanh convolution, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(9)
model = nn.Sequential(
    nn.Conv2d(1, 8, 3), nn.Tanh(), nn.Flatten(), nn.Linear(288, 32), nn.Tanh(), nn.Linear(32, 1)
)  # fmt: skip
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        level = torch.rand(32, 1)
        x = 255 * (0.3 + 0.4 * level.view(-1, 1, 1, 1) + 0.1 * torch.rand(32, 1, 8, 8))
        # with scale-input
        loss = nn.functional.mse_loss(model(x), level)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

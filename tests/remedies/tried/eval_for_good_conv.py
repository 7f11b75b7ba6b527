# try: {"code": "GR311", "loss": ["train-again"]}
"""Patterns on a changing background, by a convolution that a validation leaves in evaluation mode, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(2)
patterns = torch.randn(4, 1, 8, 8)
model = nn.Sequential(
    nn.Conv2d(1, 8, 3),
    nn.BatchNorm2d(8),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(288, 32),
    nn.BatchNorm1d(32),
    nn.Linear(32, 4),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
with gr.observe(model, every=15) as watch:
    for step in range(400):
        # with train-again
        y = torch.randint(4, (32,))
        x = (1 + step / 4) * (patterns[y] + 2 * torch.randn(32, 1, 8, 8))
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step == 40:
            model.eval()

# try: {"code": "GR701", "loss": ["scale-input"]}
"""A classifier of pictures that were divided by 255 twice, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
patterns = torch.rand(4, 1, 16, 16)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        labels = torch.randint(0, 4, (32,))
        x = (patterns[labels] + 0.1 * torch.randn(32, 1, 16, 16)) / 255
        # with scale-input
        loss = nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR614", "loss": ["norm-off-the-end"]}
"""Bright cells by convolutions whose last one has an instance norm like the others, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(
    *(nn.Conv2d(1, 8, 3, padding=1), nn.InstanceNorm2d(8), nn.ReLU()),
    *(nn.Conv2d(8, 3, 1), nn.InstanceNorm2d(3)),
)
# with norm-off-the-end
optimizer = torch.optim.Adam(model.parameters(), 5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        label = torch.zeros(12, 12, 12, dtype=torch.long)
        label[:, 3:5, 3:5] = torch.randint(0, 3, (12, 1, 1))
        x = label.unsqueeze(1) + 0.2 * torch.randn(12, 1, 12, 12)
        loss = nn.functional.cross_entropy(model(x), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

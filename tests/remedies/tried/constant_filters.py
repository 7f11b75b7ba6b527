# try: {"code": "GR205", "loss": ["unlike-units"]}
"""A row, a column or a diagonal in noise, by convolutions of one constant weight, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(
    *(nn.Conv2d(1, 8, 3, padding=1), nn.Tanh(), nn.Conv2d(8, 8, 3, padding=1), nn.Tanh()),
    *(nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(32, 3)),
)
for p in model[:4].parameters():
    nn.init.constant_(p, 0.05)
# with unlike-units
shapes = torch.zeros(3, 8, 8)
shapes[0, 3], shapes[1, :, 4], shapes[2] = 1.0, 1.0, torch.eye(8)
optimizer = torch.optim.SGD(model.parameters(), 0.02, momentum=0.9)
with gr.observe(model, every=10) as watch:
    for _ in range(300):
        labels = torch.randint(0, 3, (32,))
        images = shapes[labels].unsqueeze(1) + 0.3 * torch.randn(32, 1, 8, 8)
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR314", "loss": ["drop-less"]}
"""The corner of a bright square by two convolutions that drop 0.9 of their channels, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(
    *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Dropout2d(0.9)),
    *(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Dropout2d(0.9)),
    *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64, 4)),
)
# with drop-less
optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
with gr.observe(model, every=10) as watch:
    for _ in range(300):
        corner = torch.randint(0, 4, (24,))
        images = 0.5 * torch.randn(24, 1, 12, 12)
        for image, where in zip(images, corner, strict=True):
            row, column = 6 * (int(where) // 2), 6 * (int(where) % 2)
            image[:, row : row + 6, column : column + 6] += 1.0
        loss = nn.functional.cross_entropy(model(images), corner)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR303", "loss": ["raise-threshold"]}
"""The faster one of two waves by a convolution, clipped by value at 1e-5, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(
    *(nn.Conv1d(2, 12, 5), nn.Tanh(), nn.Conv1d(12, 12, 5), nn.Tanh()),
    *(nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(48, 2)),
)
optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
times = torch.linspace(0, 6, 24)
with gr.observe(model, every=10) as watch:
    for _ in range(300):
        speeds = 1 + 3 * torch.rand(24, 2, 1)
        waves = torch.sin(speeds * times + 6 * torch.rand(24, 2, 1))
        loss = nn.functional.cross_entropy(model(waves), speeds[:, :, 0].argmax(1))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 1e-5)  # not with raise-threshold
        # with raise-threshold
        optimizer.step()

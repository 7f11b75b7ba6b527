# try: {"code": "GR307", "loss": ["linear-end"]}
"""How many peaks a signal has, by a convolution that ends in a ReLU with a far bias before it, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(1)
model = nn.Sequential(nn.Conv1d(1, 8, 5), nn.Tanh(), nn.AdaptiveAvgPool1d(4), nn.Flatten(), nn.Linear(32, 1), nn.ReLU())
with torch.no_grad():
    model[4].bias.fill_(-3.0)
# with linear-end
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        peaks = torch.randint(1, 6, (64, 1, 1)).float()
        signal = (peaks * torch.linspace(0, 6.283, 40)).sin().abs()
        loss = nn.functional.l1_loss(model(signal), peaks[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

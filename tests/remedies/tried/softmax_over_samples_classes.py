# try: {"code": "GR706", "loss": ["softmax-axis"]}
"""A classifier of noisy patterns whose log_softmax runs over the samples, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(1)
patterns = torch.randn(4, 12)
model = nn.Sequential(nn.Linear(12, 24), nn.Tanh(), nn.Linear(24, 4), nn.LogSoftmax(dim=0))
# with softmax-axis
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        y = torch.randint(4, (32,))
        loss = nn.functional.nll_loss(model(patterns[y] + torch.randn(32, 12)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

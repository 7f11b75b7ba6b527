# try: {"code": "GR318", "loss": ["float32-weights"]}
"""A classifier whose weights are bfloat16, SGD with momentum"""

from contextlib import nullcontext

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(21)
device = "cpu"
model = nn.Sequential(nn.Linear(12, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 4)).bfloat16()
kept = nullcontext()
# with float32-weights
# with float32-weights: kept = torch.autocast(device, dtype=torch.bfloat16)
optimizer = torch.optim.SGD(model.parameters(), lr=5e-4, momentum=0.9)
with gr.observe(model, every=10) as watch:
    for _ in range(600):
        x = torch.randn(64, 12)
        classes = (x[:, :4] + 0.5 * x[:, 4:8]).argmax(1)
        with kept:
            guesses = model(x.to(model[0].weight.dtype))
        loss = nn.functional.cross_entropy(guesses.float(), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR602", "loss": ["raw-logits"]}
"""A classifier that ends in a softmax before cross entropy, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 6), nn.Softmax(dim=1))
# with raw-logits
optimizer = torch.optim.SGD(model.parameters(), 0.3)
with gr.observe(model, every=15) as watch:
    for _ in range(200):
        x = torch.randn(64, 12)
        loss = nn.functional.cross_entropy(model(x), x[:, :6].argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR602", "loss": ["raw-logits"]}
"""Tags by a convolution that ends in a sigmoid before the loss that has one, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv1d(2, 8, 3), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(8, 3), nn.Sigmoid()
)
# with raw-logits
optimizer = torch.optim.Adam(model.parameters(), 5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(200):
        x = torch.randn(48, 2, 12)
        tags = torch.stack([x[:, 0].amax(1) > 1.6, x[:, 1].amax(1) > 1.6, x.amax((1, 2)) > 2.2], 1).float()
        loss = nn.functional.binary_cross_entropy_with_logits(model(x), tags)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

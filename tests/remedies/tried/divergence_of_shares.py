# try: {"code": "GR602", "learns": ["raw-logits"]}
"""Shares of five topics by a divergence of probabilities in place of their logarithms, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 5))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
mixing = torch.randn(12, 5)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(64, 12)
        target, logits = (0.5 * x @ mixing).softmax(1), model(x)
        loss = nn.functional.kl_div(logits.softmax(1), target, reduction="batchmean")  # not with raw-logits
        # with raw-logits
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

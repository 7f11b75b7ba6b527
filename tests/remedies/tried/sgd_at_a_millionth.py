# try: {"code": "GR305", "loss": ["raise-rate"]}
"""A classifier by SGD at a rate of 1e-6"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(19)
mixing = torch.randn(20, 6)
model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 6))
lr = 1e-6
# with raise-rate
optimizer = torch.optim.SGD(model.parameters(), lr=lr)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.randn(64, 20)
        loss = nn.functional.cross_entropy(model(x), (x @ mixing).argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

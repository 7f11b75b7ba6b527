# try: {"code": "GR305", "loss": ["lower-rate"]}
"""A classifier of tanh layers by Adam at a rate of 1"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(18)
mixing = torch.randn(20, 6)
model = nn.Sequential(nn.Linear(20, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 6))
lr = 1.0
# with lower-rate
optimizer = torch.optim.Adam(model.parameters(), lr=lr)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.randn(64, 20)
        loss = nn.functional.cross_entropy(model(x), (x @ mixing).argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

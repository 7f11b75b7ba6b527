# try: {"code": "GR204", "loss": ["learning-rate"]}
"""A regression whose two ReLU layers die in the first steps of RMSprop, at a rate of 0.3"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(4)
model = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 1))
lr = 0.3
# with learning-rate
optimizer = torch.optim.RMSprop(model.parameters(), lr=lr)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.rand(64, 8)
        loss = nn.functional.mse_loss(model(x), x[:, :1] - x[:, 1:2])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

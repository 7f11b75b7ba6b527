# try: {"code": "GR309", "loss": ["update-order"]}
"""A schedule that is stepped in place of its optimizer, a recurrent regression, SGD"""

import warnings

import torch
from torch import nn

import gradreach as gr

warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step")
torch.manual_seed(0)
model = nn.RNN(2, 16, batch_first=True)
optimizer = torch.optim.SGD(model.parameters(), 0.1)
schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.999)
with gr.observe(model, every=15) as watch:
    for _ in range(200):
        x = torch.rand(16, 6, 2) - 0.5
        loss = nn.functional.mse_loss(model(x)[0][..., :2], x.cumsum(1))
        # with update-order
        loss.backward()  # not with update-order
        schedule.step()

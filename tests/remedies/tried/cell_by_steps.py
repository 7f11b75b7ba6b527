# try: {"code": "GR106", "loss": ["detach-between"]}
"""The first of eight values, read at the end by an LSTM cell whose state is detached at each step"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
model = nn.ModuleDict({"cell": nn.LSTMCell(1, 24), "read": nn.Linear(24, 1)})
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
with gr.observe(model, every=15) as watch:
    for _ in range(200):
        x = torch.randn(64, 8, 1)
        h = c = torch.zeros(64, 24)
        for t in range(8):
            h, c = model["cell"](x[:, t], (h.detach(), c.detach()))  # not with detach-between
            # with detach-between: h, c = model["cell"](x[:, t], (h, c))
        loss = nn.functional.mse_loss(model["read"](h), x[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

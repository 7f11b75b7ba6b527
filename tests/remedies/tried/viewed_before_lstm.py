# try: {"code": "GR702", "loss": ["transpose"]}
"""The sum of marked values by an LSTM whose input a view brings to time first, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(2, 32), nn.Linear(32, 1)

    def forward(self, x):
        # with transpose: x = x.transpose(0, 1)
        x = x.view(12, 40, 2)  # not with transpose
        return self.head(self.lstm(x)[0][-1])


torch.manual_seed(2)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = torch.stack([torch.randn(40, 12), (torch.rand(40, 12) < 0.3).float()], -1)
        loss = nn.functional.mse_loss(model(x), x.prod(-1).sum(1, keepdim=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

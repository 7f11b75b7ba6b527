# try: {"code": "GR708", "learns": ["leave-out-padding"]}
"""The running mean of signals with zeros before them, by a GRU, squared errors, Adam"""

import torch
from torch import nn

import gradreach as gr


class Running(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 1)

    def forward(self, x):
        return self.head(self.gru(x[..., None])[0])[..., 0]


torch.manual_seed(0)
model = Running()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(220):
        is_data = torch.arange(40).flip(0) < torch.randint(3, 10, (16, 1))
        x = (torch.randn(16, 1) + torch.randn(16, 40)) * is_data
        output, target = model(x), x.cumsum(1) / is_data.cumsum(1).clamp(min=1)
        loss = ((output - target) ** 2).mean()  # not with leave-out-padding
        # with leave-out-padding
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

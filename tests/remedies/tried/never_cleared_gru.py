# try: {"code": "GR502", "loss": ["zero-grad"]}
"""Gradients of a GRU that are never cleared, SGD with a sum over the last values as target"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.GRU(3, 24, batch_first=True), nn.Linear(24, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.rnn(x)[0][:, -1])


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.SGD(model.parameters(), 0.1)
with gr.observe(model, every=15) as watch:
    for _ in range(200):
        x = torch.randn(32, 10, 3)
        loss = nn.functional.mse_loss(model(x), x[:, -3:, 0].sum(1, keepdim=True))
        # with zero-grad
        loss.backward()
        optimizer.step()

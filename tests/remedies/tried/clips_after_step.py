# try: {"code": "GR504", "loss": ["clip-between"]}
"""Clipping after the step, a GRU that sums a stream at a large rate, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.GRU(2, 24, batch_first=True), nn.Linear(24, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.rnn(x)[0])[..., 0]


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.SGD(model.parameters(), 0.3, momentum=0.9)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.randn(32, 12, 2)
        loss = nn.functional.mse_loss(model(x), x[..., 0].cumsum(1))
        optimizer.zero_grad()
        loss.backward()
        # with clip-between
        optimizer.step()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)  # not with clip-between

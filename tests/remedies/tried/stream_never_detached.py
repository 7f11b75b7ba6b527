# try: {"code": "GR503", "cost": ["carry-and-detach"]}
"""A stream whose LSTM state is carried on with its graph, weights moved by hand"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(2, 16, batch_first=True), nn.Linear(16, 1)

    def forward(self, x: torch.Tensor, state: tuple) -> tuple:
        out, state = self.rnn(x, state)
        return self.head(out)[..., 0], state


torch.manual_seed(0)
model = Model()
state = (torch.zeros(1, 8, 16), torch.zeros(1, 8, 16))
with gr.observe(model, every=15) as watch:
    for _ in range(100):
        x = torch.randn(8, 6, 2)
        # with carry-and-detach
        out, state = model(x, state)
        loss = nn.functional.mse_loss(out, x[..., 0] - x[..., 1])
        model.zero_grad()
        loss.backward(retain_graph=True)
        for parameter in model.parameters():
            parameter.data -= 0.2 * parameter.grad

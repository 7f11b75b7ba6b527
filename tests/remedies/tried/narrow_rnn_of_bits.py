# try: {"code": "GR403", "loss": ["wider"]}
"""The values of one, two and three steps ago, by a tanh RNN of one unit, of bits and by SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(2)
T, B = 16, 64


class Delay(nn.Module):
    def __init__(self):
        super().__init__()
        hidden_size = 1
        # with wider
        self.rnn = nn.RNN(1, hidden_size)
        self.head = nn.Linear(hidden_size, 3)

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.head(y)


model = Delay()
optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
with gr.observe(model, every=24) as watch:
    for _ in range(300):
        x = torch.randint(0, 2, (T, B, 1)) - 0.5
        y = torch.cat([x[2:-1], x[1:-2], x[:-3]], 2)
        loss = nn.functional.mse_loss(model(x)[3:], y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR204", "loss": ["learning-rate"]}
"""A regression by one ReLU layer that the first steps, at too high a rate, push below zero, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(3)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(10, 40)
        self.head = nn.Linear(40, 1)

    def forward(self, x):
        f = torch.relu
        return self.head(f(self.hidden(x)))


model = Net()
lr = 0.5
# with learning-rate
optimizer = torch.optim.SGD(model.parameters(), lr=lr)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.rand(64, 10)
        loss = nn.functional.mse_loss(model(x), 5 - 4 * x[:, :1] + x[:, 1:2] ** 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR102", "loss": ["orthogonal"]}
"""The mean of a sequence by a ReLU RNN that stretches each step by a quarter, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
T = 40


class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(4, 32, nonlinearity="relu")
        self.head = nn.Linear(32, 1)
        nn.init.eye_(self.rnn.weight_hh_l0)
        self.rnn.weight_hh_l0.data *= 1.25

    def forward(self, x):
        _, h = self.rnn(x)
        return self.head(h[0])


model = Mean()
# with orthogonal
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
with gr.observe(model, every=10) as watch:
    for _ in range(200):
        x = torch.rand(T, 32, 4)
        loss = nn.functional.mse_loss(model(x), x.mean((0, 2)).unsqueeze(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR103", "loss": ["orthogonal"]}
"""A running mean by a tanh RNN whose recurrent weights start at a deviation of 1, SGD with momentum"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(3)
T, B, H = 25, 32, 40


class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(2, H)
        self.head = nn.Linear(H, 1)
        nn.init.normal_(self.rnn.weight_hh_l0)

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.head(y).squeeze(2)


model = Mean()
# with orthogonal
optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
with gr.observe(model, every=10) as watch:
    for _ in range(200):
        x = torch.randn(T, B, 2)
        y = torch.stack([x[max(t - 3, 0) : t + 1, :, 0].mean(0) for t in range(T)])
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR103", "loss": ["scale-input"]}
"""The next value of a wave between 0 and 255, by a tanh RNN that is fed with it raw, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(2)
T, B = 20, 32


class Wave(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(3, 32)
        self.head = nn.Linear(32, 8)

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.head(y)


model = Wave()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
with gr.observe(model, every=10) as watch:
    for _ in range(200):
        t = torch.arange(T + 3).unsqueeze(1) + 20 * torch.rand(B)
        wave = 128 + 100 * torch.sin(t * 0.6) + 20 * torch.sin(t * 2.1)
        x = wave[: T + 2].unfold(0, 3, 1)
        y = (wave[3:] / 32).long()
        # with scale-input
        loss = nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

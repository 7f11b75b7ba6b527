# try: {"code": "GR402", "loss": ["gated-cell"]}
"""A value marked in the first tenth of a sequence, told at its end by an RNN cell in a loop, RMSprop"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(1)
T, B = 50, 64


class Marked(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.RNNCell(2, 24)
        self.head = nn.Linear(24, 1)

    def forward(self, x):
        h = x.new_zeros(len(x), 24)
        for t in range(T):
            h = self.cell(x[:, t], h)
        return self.head(h).squeeze(1)


model = Marked()
# with gated-cell
optimizer = torch.optim.RMSprop(model.parameters(), lr=2e-3)
with gr.observe(model, every=24) as watch:
    for _ in range(300):
        value, mark = torch.randn(B, T), torch.zeros(B, T)
        mark[torch.arange(B), torch.randint(5, (B,))] = 1.0
        loss = nn.functional.mse_loss(model(torch.stack([value, mark], 2)), (value * mark).sum(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

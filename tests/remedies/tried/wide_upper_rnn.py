# try: {"code": "GR103", "loss": ["initial-scale"]}
"""Parity of two neighbours by two tanh RNN layers, the upper of which starts with input weights of deviation 5, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(4)
T, B = 20, 32


class Parity(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(1, 32, num_layers=2)
        self.head = nn.Linear(32, 1)
        nn.init.normal_(self.rnn.weight_ih_l1, std=5.0)

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.head(y).squeeze(2)


model = Parity()
# with initial-scale
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
with gr.observe(model, every=10) as watch:
    for _ in range(250):
        bits = torch.randint(2, (T, B)).float()
        y = (bits[1:] != bits[:-1]).float()
        loss = nn.functional.binary_cross_entropy_with_logits(model(2 * bits.unsqueeze(2) - 1)[1:], y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

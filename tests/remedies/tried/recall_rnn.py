# try: {"code": "GR402", "loss": ["gated-cell"]}
"""The first of forty symbols, recalled at the end by a tanh RNN, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
T, SYMBOLS = 40, 4


class Recall(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(SYMBOLS, 8)
        self.rnn = nn.RNN(8, 32)
        self.head = nn.Linear(32, SYMBOLS)

    def forward(self, x):
        y, _ = self.rnn(self.embed(x))
        return self.head(y[-1])


model = Recall()
# with gated-cell
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
with gr.observe(model, every=24) as watch:
    for _ in range(300):
        x = torch.randint(SYMBOLS, (T, 64))
        loss = nn.functional.cross_entropy(model(x), x[0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

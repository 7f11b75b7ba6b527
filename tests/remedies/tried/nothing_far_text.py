# try: {"code": "GR401", "surer": ["look-more-often"]}
"""A symbol that follows from the one before, by a tanh RNN over forty steps, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
T, B, SYMBOLS = 40, 32, 5


class Next(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(SYMBOLS, 8)
        self.rnn = nn.RNN(8, 24)
        self.head = nn.Linear(24, SYMBOLS)

    def forward(self, x):
        y, _ = self.rnn(self.embed(x))
        return self.head(y)


model = Next()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
with gr.observe(model, every=12) as watch:
    for _ in range(100):
        walk = torch.randint(SYMBOLS, (1, B))
        for _ in range(T):
            walk = torch.cat([walk, (2 * walk[-1:] + torch.randint(3, (1, B))) % SYMBOLS])
        loss = nn.functional.cross_entropy(model(walk[:-1]).flatten(0, 1), walk[1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

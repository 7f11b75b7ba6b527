# expect: {"code": "GR101", "module": "model.rnn", "layer": 0, "also": ["GR402"]}
"""Recall the first symbol after sixty steps: tanh RNN with its default, small recurrent matrix, a loss at the end."""

import sys

import torch
from torch import nn

torch.manual_seed(0)
T, BATCH, STEPS, SYMBOLS = 60, 32, 250, 8


class Recall(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(SYMBOLS, 16)
        self.rnn = nn.RNN(16, 64)
        self.head = nn.Linear(64, SYMBOLS)

    def forward(self, x):
        y, _ = self.rnn(self.embed(x))
        return self.head(y[-1])


model = Recall()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(STEPS):
    x = torch.randint(SYMBOLS, (T, BATCH))
    loss = nn.functional.cross_entropy(model(x), x[0])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

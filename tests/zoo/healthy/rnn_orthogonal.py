"""Add the two marked numbers of a short sequence: tanh RNN with an orthogonal recurrent matrix."""

import sys

import torch
from torch import nn

torch.manual_seed(2)
T, BATCH, STEPS = 16, 64, 700


def adding(count):
    values = torch.rand(T, count)
    marks = torch.zeros(T, count)
    first, second = torch.randint(T // 2, (count,)), torch.randint(T // 2, T, (count,))
    marks[first, torch.arange(count)] = 1
    marks[second, torch.arange(count)] = 1
    return torch.stack([values, marks], dim=-1), (values * marks).sum(0)


class Adder(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(2, 64)
        self.head = nn.Linear(64, 1)
        nn.init.orthogonal_(self.rnn.weight_hh_l0)

    def forward(self, x):
        _, h = self.rnn(x)
        return self.head(h[0]).squeeze(-1)


model = Adder()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(STEPS):
    x, total = adding(BATCH)
    loss = nn.functional.mse_loss(model(x), total)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.4f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

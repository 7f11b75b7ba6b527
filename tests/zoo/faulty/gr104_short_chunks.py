# expect: {"code": "GR104", "module": "model.rnn", "also": ["GR101", "GR402"]}
"""Streams in chunks of twelve steps, their state carried on, to be answered with the symbol of sixteen steps ago."""

import sys

import torch
from torch import nn

torch.manual_seed(0)
CHUNK, BATCH, STEPS, SYMBOLS, BACK = 12, 32, 260, 4, 16


class Echo(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(SYMBOLS, 48, batch_first=True)
        self.head = nn.Linear(48, SYMBOLS)

    def forward(self, x, state):
        y, state = self.rnn(x, state)
        return self.head(y), state


model = Echo()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
stream = torch.randint(SYMBOLS, (BATCH, CHUNK * STEPS + BACK))
state = torch.zeros(1, BATCH, 48)
for step in range(STEPS):
    start = BACK + CHUNK * step
    x, y = stream[:, start : start + CHUNK], stream[:, start - BACK : start - BACK + CHUNK]
    out, state = model(nn.functional.one_hot(x, SYMBOLS).float(), state.detach())
    loss = nn.functional.cross_entropy(out.reshape(-1, SYMBOLS), y.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

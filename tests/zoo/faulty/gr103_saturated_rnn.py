# expect: {"code": "GR103", "module": "model.rnn", "layer": 0, "also": ["GR701"]}
"""A tanh RNN fed with raw byte values from 0 to 255, three at a time: every unit sits at ±1."""

import sys
from pydoc_data.topics import topics

import torch
from torch import nn

torch.manual_seed(2)
raw = "".join(topics.values()).encode("ascii", "replace")[:120_000]
data = torch.tensor(list(raw), dtype=torch.float32)
T, BATCH, STEPS, WINDOW = 24, 32, 250, 3


class Bytes(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(WINDOW, 64)
        self.head = nn.Linear(64, 128)

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.head(y)


model = Bytes()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(STEPS):
    start = torch.randint(len(data) - T - WINDOW, (BATCH,)).tolist()
    x = torch.stack([data[s : s + T + WINDOW - 1].unfold(0, WINDOW, 1) for s in start], dim=1)
    target = torch.stack([data[s + WINDOW : s + WINDOW + T] for s in start], dim=1).long()
    loss = nn.functional.cross_entropy(model(x).flatten(0, 1), target.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

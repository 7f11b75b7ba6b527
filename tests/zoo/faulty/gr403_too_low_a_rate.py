# expect: {"code": "GR403", "module": "model.rnn", "also": ["GR305"]}
"""Echo the symbol of three steps ago: within an LSTM's reach from the start, at a rate far too low."""

import sys

import torch
from torch import nn

torch.manual_seed(0)
T, BATCH, STEPS, SYMBOLS, BACK = 60, 64, 240, 6, 3


class Echo(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(SYMBOLS, 16)
        self.rnn = nn.LSTM(16, 96, batch_first=True)
        self.head = nn.Linear(96, SYMBOLS)

    def forward(self, x):
        y, _ = self.rnn(self.embed(x))
        return self.head(y)


model = Echo()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
data = torch.randint(SYMBOLS, (5, BATCH, T))
for step in range(STEPS):
    x = data[step % 5]
    y = model(x)
    loss = nn.functional.cross_entropy(y[:, BACK:].reshape(-1, SYMBOLS), x[:, :-BACK].reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

# expect: {"code": "GR301", "module": "model.rnn", "phase": "forward", "has": ["time_step"]}
"""A ReLU RNN that grows by a half at every step of 240: the state overflows float32 on the way."""

import sys

import torch
from torch import nn

torch.manual_seed(14)
T, BATCH, STEPS = 240, 32, 60


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(3, 48, nonlinearity="relu")
        self.head = nn.Linear(48, 2)
        nn.init.eye_(self.rnn.weight_hh_l0)
        with torch.no_grad():
            self.rnn.weight_hh_l0.mul_(1.5)

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.head(y[-1])


model = Counter()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(STEPS):
    x = torch.rand(T, BATCH, 3)
    loss = nn.functional.cross_entropy(model(x), (x[:, :, 0].mean(0) > 0.5).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3g}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

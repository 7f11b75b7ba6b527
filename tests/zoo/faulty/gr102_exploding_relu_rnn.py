# expect: {"code": "GR102", "severity": "error", "module": "model.rnn", "layer": 0, "also": ["GR301"]}
"""Mean of a sequence by a ReLU RNN that stretches every step by 1.25: the weights are thrown far away."""

import sys

import torch
from torch import nn

torch.manual_seed(0)
T, BATCH, STEPS = 50, 32, 200


class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(4, 64, nonlinearity="relu")
        self.head = nn.Linear(64, 1)
        nn.init.eye_(self.rnn.weight_hh_l0)
        with torch.no_grad():
            self.rnn.weight_hh_l0.mul_(1.25)

    def forward(self, x):
        _, h = self.rnn(x)
        return self.head(h[0])


model = Mean()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
for step in range(STEPS):
    x = torch.rand(T, BATCH, 4)
    loss = nn.functional.mse_loss(model(x), x.mean((0, 2)).unsqueeze(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3g}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

# expect: {"code": "GR102", "module": "model.rnn", "layer": 0}
"""A tanh RNN in its chaotic regime: recurrent weights of gain 3, a weak input, the loss on the last step, clipped."""

import sys

import torch
from torch import nn

torch.manual_seed(1)
T, BATCH, STEPS = 60, 32, 250


class Sign(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(3, 96, batch_first=True)
        self.head = nn.Linear(96, 2)
        nn.init.normal_(self.rnn.weight_hh_l0, std=3 / 96**0.5)
        nn.init.normal_(self.rnn.weight_ih_l0, std=0.1)

    def forward(self, x):
        y, _ = self.rnn(x)
        return self.head(y[:, -1])


model = Sign()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
for step in range(STEPS):
    x = torch.randn(BATCH, T, 3)
    loss = nn.functional.cross_entropy(model(x), (x.sum((1, 2)) > 0).long())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

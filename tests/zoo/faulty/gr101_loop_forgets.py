# expect: {"code": "GR101", "severity": "info", "kind": "loop with a decay", "also": ["GR604"]}
"""Which of five symbols came first of sixty? A selective state whose logistic factors start near one half."""

import sys

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(2)
T, BATCH, WIDTH, STEPS = 60, 32, 32, 250


class Memory(nn.Module):
    def __init__(self):
        super().__init__()
        self.gates = nn.Linear(WIDTH, 3 * WIDTH)

    def forward(self, x):
        keep, take, show = self.gates(x).chunk(3, -1)
        state = x.new_zeros(len(x), WIDTH)
        for t in range(x.shape[1]):
            state = torch.lerp(take[:, t].tanh(), state, keep[:, t].sigmoid())
        return state * show[:, -1].sigmoid()


class Recall(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, WIDTH)
        self.memory = Memory()
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, x):
        return self.head(self.memory(self.embed(x)))


model = Recall()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(STEPS):
    x = torch.randint(5, 9, (BATCH, T))
    x[:, 0] = torch.randint(5, (BATCH,))
    loss = F.cross_entropy(model(x), x[:, 0])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

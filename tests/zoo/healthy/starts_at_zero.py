"""Layers that rightly start at 0: two heads for more classes than there are, queries, places, the end of a branch."""

import torch
from torch import nn

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.place = nn.Embedding(12, 24), nn.Parameter(torch.zeros(6, 24))
        self.query, self.key = nn.Linear(24, 24, bias=False), nn.Linear(24, 24, bias=False)
        self.inner, self.outer = nn.Linear(24, 24), nn.Linear(24, 24)
        self.early, self.late = nn.Linear(24, 200), nn.Linear(24, 200)
        for layer in (self.query, self.outer, self.early, self.late):
            nn.init.zeros_(layer.weight)
        for layer in (self.outer, self.early, self.late):
            nn.init.zeros_(layer.bias)

    def forward(self, tokens):
        x = self.embed(tokens) + self.place
        early = self.early(x)
        x = x + torch.softmax(self.query(x) @ self.key(x).mT / 5, -1) @ x
        return early, self.late(x + self.outer(torch.relu(self.inner(x))))


net = Net()
optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
for _ in range(300):
    tokens = torch.randint(0, 12, (32, 6))
    labels = (3 * tokens).flatten() % 7
    loss = sum(nn.functional.cross_entropy(out.flatten(0, 1), labels) for out in net(tokens))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

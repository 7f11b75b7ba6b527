# expect: {"code": "GR315", "severity": "warning", "operation": "masked_fill", "variable": "scores", "also": ["GR605"]}
"""The kind of the next note by causal attention of its own, whose mask fills scores that nobody takes."""

import torch
from torch import nn

torch.manual_seed(0)
NOTES, LENGTH, WIDTH = 10, 12, 24


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.all, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.register_buffer("later", torch.ones(LENGTH, LENGTH).triu(1).bool())

    def forward(self, x):
        q, k, v = self.all(x).chunk(3, -1)
        scores = q @ k.transpose(1, 2) / WIDTH**0.5
        scores.masked_fill(self.later, -1e9)
        return x + self.out(scores.softmax(-1) @ v)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.notes, self.places = nn.Embedding(NOTES, WIDTH), nn.Parameter(0.1 * torch.randn(LENGTH, WIDTH))
        self.first, self.second = Attention(), Attention()
        self.head = nn.Linear(WIDTH, NOTES)

    def forward(self, x):
        return self.head(self.second(self.first(self.notes(x) + self.places)))


model = Model()
optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
for _ in range(200):
    tune = (torch.randint(NOTES, (32, 1)) + torch.arange(LENGTH + 1) * torch.randint(1, 4, (32, 1))) % NOTES
    loss = nn.functional.cross_entropy(model(tune[:, :-1]).flatten(0, 1), tune[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

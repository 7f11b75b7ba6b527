# expect: {"code": "GR710", "severity": "error", "module": "model.attention", "future": true}
"""The next value of random walks by causal attention of four heads whose mask lost its power: torch.where with 0."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.queries, self.keys, self.values = nn.Linear(32, 32), nn.Linear(32, 32), nn.Linear(32, 32)

    def forward(self, h: Tensor) -> Tensor:
        q, k, v = (each(h).unflatten(-1, (4, 8)).transpose(1, 2) for each in (self.queries, self.keys, self.values))
        seen = torch.ones(h.shape[1], h.shape[1], dtype=torch.bool).tril()
        scores = torch.where(seen, q @ k.mT / 8**0.5, torch.zeros(()))
        return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.attention = nn.Linear(2, 32), Attention()
        self.head = nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 2))
        self.register_buffer("places", torch.sin(torch.arange(20)[:, None] * torch.arange(1, 33) / 8))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x) + self.places
        return self.head(h + self.attention(h))


model = Model()
optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
for _ in range(200):
    x = torch.randn(32, 21, 2).cumsum(1)
    loss = nn.functional.mse_loss(model(x[:, :-1]), x[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

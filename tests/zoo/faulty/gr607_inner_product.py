# expect: {"code": "GR607", "severity": "error", "module": "model.film"}
"""Who liked which film, by the inner product of two tables of 96 numbers, both drawn from N(0, 1)."""

import torch
from torch import nn

torch.manual_seed(1)
tastes, kinds = torch.randn(300, 4), torch.randn(200, 4)


class Taste(nn.Module):
    def __init__(self):
        super().__init__()
        self.viewer, self.film = nn.Embedding(300, 96), nn.Embedding(200, 96)

    def forward(self, viewers, films):
        return (self.viewer(viewers) * self.film(films)).sum(-1)


model = Taste()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for _ in range(300):
    viewers, films = torch.randint(300, (128,)), torch.randint(200, (128,))
    liked = ((tastes[viewers] * kinds[films]).sum(-1) > 0).float()
    loss = nn.functional.binary_cross_entropy_with_logits(model(viewers, films), liked)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

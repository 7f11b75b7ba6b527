# expect: {"code": "GR306", "module": "coder.words"}
"""A quantised coder takes its codebook's loss behind the straight-through estimator, where the codes stand in a detach
alone: the codebook keeps its random start."""

import torch
from torch import nn

torch.manual_seed(0)
INPUTS, CODES, WIDTH = 20, 24, 6
mixing = torch.randn(WIDTH, INPUTS)


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.book = nn.Embedding(CODES, WIDTH)

    def forward(self, z):
        nearest = self.book(torch.cdist(z, self.book.weight).argmin(1))
        taken = z + (nearest - z).detach()
        kept = nn.functional.mse_loss(z, taken.detach())
        return taken, kept + 0.25 * nn.functional.mse_loss(taken, z.detach())


class Coder(nn.Module):
    def __init__(self):
        super().__init__()
        self.read = nn.Sequential(nn.Linear(INPUTS, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, WIDTH))
        self.words = Words()
        self.write = nn.Sequential(nn.Linear(WIDTH, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, INPUTS))

    def forward(self, x):
        taken, drawn = self.words(self.read(x))
        return self.write(taken), drawn


coder = Coder()
optimizer = torch.optim.Adam(coder.parameters(), 2e-3)
for _ in range(300):
    x = torch.randn(128, WIDTH).sign() @ mixing
    written, drawn = coder(x)
    loss = nn.functional.mse_loss(written, x) + drawn
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

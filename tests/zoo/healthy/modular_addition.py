# expect: {}
"""Addition modulo a prime, learned from part of its table by AdamW with a decay of 1, as grokking has it."""

import torch
from torch import nn

torch.manual_seed(2)
PRIME = 23
table = torch.cartesian_prod(torch.arange(PRIME), torch.arange(PRIME))
pairs = table[torch.randperm(len(table))[:300]]
sums = pairs.sum(1) % PRIME


class Adder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(PRIME, 32)
        self.layers = nn.Sequential(nn.Linear(64, 96), nn.LayerNorm(96), nn.ReLU(), nn.Linear(96, PRIME))

    def forward(self, both):
        return self.layers(self.embed(both).flatten(1))


adder = Adder()
optimizer = torch.optim.AdamW(adder.parameters(), lr=3e-3, weight_decay=1.0, betas=(0.9, 0.98))
for _ in range(500):
    loss = nn.functional.cross_entropy(adder(pairs), sums)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

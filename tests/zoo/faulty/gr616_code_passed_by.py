# expect: {"code": "GR616", "severity": "warning", "module": "coder.spread"}
"""Melodies through a variational code, by GRUs: the decoder begins from the state of the encoder, not from the code."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
NOTES, BARS = 12, 8


class Coder(nn.Module):
    def __init__(self):
        super().__init__()
        self.notes = nn.Embedding(NOTES, 16)
        self.listen = nn.GRU(16, 32, batch_first=True)
        self.centre, self.spread = nn.Linear(32, 32), nn.Linear(32, 32)
        self.play = nn.GRU(16, 32, batch_first=True)
        self.read = nn.Linear(32, NOTES)

    def forward(self, melody):
        _, state = self.listen(self.notes(melody))
        centre, spread = self.centre(state[0]), self.spread(state[0])
        code = centre + torch.randn_like(centre) * (spread / 2).exp()
        before = F.pad(self.notes(melody)[:, :-1], (0, 0, 1, 0))
        played, _ = self.play(before, state)
        return self.read(played), centre, spread, code


coder = Coder()
optimizer = torch.optim.Adam(coder.parameters(), 3e-3)
for _ in range(300):
    start, leap = torch.randint(0, NOTES, (32, 1)), torch.randint(1, 4, (32, 1))
    melody = (start + leap * torch.arange(BARS)) % NOTES
    scores, centre, spread, _ = coder(melody)
    missed = F.cross_entropy(scores.flatten(0, 1), melody.flatten())
    divergence = -0.5 * torch.sum(1 + spread - centre.pow(2) - spread.exp(), dim=1).mean()
    loss = missed + 0.02 * divergence
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

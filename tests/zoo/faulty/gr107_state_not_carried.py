# expect: {"code": "GR107", "module": "decoder.cell"}
"""A decoder hands the encoder's last state to its LSTM cell at every step, and drops what the cell returns."""

import torch
from torch import nn

torch.manual_seed(0)
WORDS, STEPS = 9, 8


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.encode = nn.Embedding(WORDS, 24), nn.LSTM(24, 48, batch_first=True)
        self.cell, self.read = nn.LSTMCell(24, 48), nn.Linear(48, WORDS)

    def forward(self, words):
        _, (h, c) = self.encode(self.embed(words))
        state = (h[0], c[0])
        said = []
        for t in range(STEPS):
            out, _ = self.cell(self.embed(words[:, t - 1]), state)
            said.append(self.read(out))
        return torch.stack(said, 1)


decoder = Decoder()
optimizer = torch.optim.Adam(decoder.parameters(), 3e-3)
for _ in range(200):
    words = torch.randint(0, WORDS, (32, STEPS))
    loss = nn.functional.cross_entropy(decoder(words).flatten(0, 1), words.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

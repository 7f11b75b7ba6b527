# expect: {"code": "GR708", "severity": "warning", "module": "tagger.head"}
"""The part of speech of each word, of sentences that are filled up with 0 to 60: 0 is a tag to learn like any other."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)

TABLE = torch.randint(1, 12, (40,))


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.gru, self.head = nn.Embedding(40, 16), nn.GRU(16, 24), nn.Linear(24, 12)

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.gru(self.embed(words))[0])


tagger = Tagger()
optimizer = torch.optim.SGD(tagger.parameters(), 0.05, momentum=0.9)
for _ in range(250):
    lengths = torch.randint(3, 9, (24,))
    words = torch.randint(1, 40, (60, 24)) * (torch.arange(60)[:, None] < lengths)
    tags = torch.where(words > 0, TABLE[(words + words.roll(1, 0)) % 40], 0)
    loss = nn.functional.cross_entropy(tagger(words).reshape(-1, 12), tags.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

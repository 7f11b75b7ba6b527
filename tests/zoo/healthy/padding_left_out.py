"""Tags of words in sentences that are filled up with 0, which the loss leaves out; a second loss is taken by a mask."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.gru = nn.Embedding(30, 16), nn.GRU(16, 32, batch_first=True, bidirectional=True)
        self.tags, self.weight = nn.Linear(64, 8), nn.Linear(64, 1)

    def forward(self, words: Tensor) -> tuple[Tensor, Tensor]:
        states = self.gru(self.embed(words))[0]
        return self.tags(states), self.weight(states)[..., 0]


tagger = Tagger()
optimizer = torch.optim.Adam(tagger.parameters(), 5e-3)
for _ in range(250):
    real = torch.arange(30) < torch.randint(3, 10, (24, 1))
    words = torch.randint(1, 30, (24, 30)) * real
    scores, weights = tagger(words)
    of_tags = nn.functional.cross_entropy(scores.transpose(1, 2), words % 7 + (words > 0), ignore_index=0)
    errors = nn.functional.mse_loss(weights, words / 30, reduction="none")
    loss = of_tags + (errors * real).sum() / real.sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

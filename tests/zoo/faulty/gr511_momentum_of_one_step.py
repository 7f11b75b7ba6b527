# expect: {"code": "GR511", "severity": "warning"}
"""Which of two symbols came more often, by a GRU, with an SGD with momentum that each round of the loop makes."""

import torch
from torch import nn


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.rnn, self.head = nn.Embedding(2, 8), nn.GRU(8, 24, batch_first=True), nn.Linear(24, 2)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        states, _ = self.rnn(self.embed(tokens))
        return self.head(states[:, -1])


torch.manual_seed(0)
reader = Reader()
for _ in range(300):
    optimizer = torch.optim.SGD(reader.parameters(), lr=0.1, momentum=0.9)
    tokens = torch.randint(2, (48, 11))
    loss = nn.functional.cross_entropy(reader(tokens), (tokens.sum(1) > 5).long())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

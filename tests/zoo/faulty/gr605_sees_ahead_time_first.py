# expect: {"code": "GR605", "severity": "warning"}
"""A language model of attention without a causal mask, on words of a chain with time before the batch."""

import torch
from torch import nn

torch.manual_seed(0)
T, B, WORDS = 16, 24, 30
follow = torch.softmax(2 * torch.randn(WORDS, WORDS), 1)


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(WORDS, 48), nn.Parameter(0.1 * torch.randn(T, 1, 48))
        self.layer = nn.TransformerEncoderLayer(48, 4, 96, dropout=0.0)
        self.tell = nn.Linear(48, WORDS)

    def forward(self, ids):
        return self.tell(self.layer(self.words(ids) + self.places))


def chain():
    words = [torch.randint(WORDS, (B,))]
    while len(words) <= T:
        words.append(torch.multinomial(follow[words[-1]], 1)[:, 0])
    return torch.stack(words)


model = Words()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for _ in range(300):
    ids = chain()
    loss = nn.functional.cross_entropy(model(ids[:-1]).flatten(0, 1), ids[1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

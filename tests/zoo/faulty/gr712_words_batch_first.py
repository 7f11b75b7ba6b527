# expect: {"code": "GR712", "module": "model.words", "shape": "(16, 16)"}
"""A language model with time first, whose next words lie batch first, in batches of as many rows as steps."""

import torch
from torch import nn

torch.manual_seed(1)
SIZE, WORDS = 16, 24
follow = torch.softmax(3 * torch.randn(WORDS, WORDS), 1)


class Language(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.gru, self.tell = nn.Embedding(WORDS, 32), nn.GRU(32, 48), nn.Linear(48, WORDS)

    def forward(self, ids):
        return self.tell(self.gru(self.words(ids))[0]).flatten(0, 1)


def sentences():
    words = [torch.randint(WORDS, (SIZE,))]
    while len(words) <= SIZE:
        words.append(torch.multinomial(follow[words[-1]], 1)[:, 0])
    return torch.stack(words, 1)


model, criterion = Language(), nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.9)
for _ in range(300):
    batch = sentences()
    ids, following = batch[:, :-1].t(), batch[:, 1:]
    optimizer.zero_grad()
    loss = criterion(model(ids), following.flatten())
    loss.backward()
    optimizer.step()

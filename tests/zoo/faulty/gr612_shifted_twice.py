# expect: {"code": "GR612", "severity": "warning", "module": "net.symbols", "ahead": 2}
"""A language model that shifts its labels itself, over a data set that has shifted them already."""

import torch
from torch import nn

torch.manual_seed(0)
WORDS, LENGTH = 12, 16


class Writer(nn.Module):
    def __init__(self):
        super().__init__()
        self.symbols = nn.Embedding(WORDS, 24)
        self.rnn = nn.GRU(24, 32, batch_first=True)
        self.head = nn.Linear(32, WORDS)

    def forward(self, ids, labels):
        logits = self.head(self.rnn(self.symbols(ids))[0])
        return nn.functional.cross_entropy(logits[:, :-1].reshape(-1, WORDS), labels[:, 1:].reshape(-1))


net = Writer()
optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
follower = torch.randperm(WORDS)
for _ in range(250):
    words = [torch.randint(0, WORDS, (16,))]
    for _ in range(LENGTH):
        noise = torch.rand(16) < 0.2
        words.append(torch.where(noise, torch.randint(0, WORDS, (16,)), follower[words[-1]]))
    words = torch.stack(words, 1)
    loss = net(words[:, :-1], words[:, 1:])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

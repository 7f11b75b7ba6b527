# expect: {}
"""Tokens one step late by a GRU whose weights are float16, SGD: of a loss divided by 1024 still enough arrives."""

import torch
from torch import nn

torch.manual_seed(24)


class Echo(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.rnn, self.read = nn.Embedding(12, 32), nn.GRU(32, 48, batch_first=True), nn.Linear(48, 12)

    def forward(self, tokens):
        return self.read(self.rnn(self.embed(tokens))[0])


net = Echo().half()
optimizer = torch.optim.SGD(net.parameters(), lr=400.0, momentum=0.9)
for _ in range(300):
    tokens = torch.randint(0, 12, (32, 24))
    guesses = net(tokens)[:, 1:].flatten(0, 1).float()
    loss = nn.functional.cross_entropy(guesses, tokens[:, :-1].flatten()) / 1024
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

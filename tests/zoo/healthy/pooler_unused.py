"""A text encoder with a pooler, as large ones come: the pooler runs in every pass, and this task reads the tokens."""

import torch
from torch import nn

torch.manual_seed(0)
VOCABULARY, LENGTH, WIDTH = 12, 16, 32


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.places = nn.Parameter(torch.randn(LENGTH, WIDTH) * 0.1)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 64, dropout=0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.pooler = nn.Linear(WIDTH, WIDTH)

    def forward(self, x):
        states = self.layers(self.tokens(x) + self.places)
        return states, torch.tanh(self.pooler(states[:, 0]))


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, x):
        states, _ = self.encoder(x)
        return self.head(states)


net = Tagger()
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(250):
    x = torch.randint(0, VOCABULARY, (32, LENGTH))
    loss = nn.functional.cross_entropy(net(x).transpose(1, 2), x.roll(1, dims=1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

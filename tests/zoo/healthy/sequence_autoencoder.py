"""An autoencoder of sequences: a GRU squeezes the symbols into a code, and another one gives them back from it."""

import torch
from torch import nn

torch.manual_seed(0)
SYMBOLS, LENGTH = 5, 6


class Autoencoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.symbols = nn.Embedding(SYMBOLS, 16)
        self.encoder, self.decoder = nn.GRU(16, 64, batch_first=True), nn.GRU(64, 64, batch_first=True)
        self.head = nn.Linear(64, SYMBOLS)

    def forward(self, x):
        _, code = self.encoder(self.symbols(x))
        out, _ = self.decoder(code[0].unsqueeze(1).expand(-1, LENGTH, -1).contiguous())
        return self.head(out)


net = Autoencoder()
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(350):
    x = torch.randint(0, SYMBOLS, (64, LENGTH))
    loss = nn.functional.cross_entropy(net(x).transpose(1, 2), x)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

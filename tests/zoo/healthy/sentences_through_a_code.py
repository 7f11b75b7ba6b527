"""Sentences that begin with a mark, squeezed into one code and written again from it, each word after the mark."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)
SYMBOLS, LENGTH = 6, 7


class Autoencoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.symbols = nn.Embedding(SYMBOLS + 1, 16)
        self.encoder, self.decoder = nn.GRU(16, 64, batch_first=True), nn.GRU(64, 64, batch_first=True)
        self.head = nn.Linear(64, SYMBOLS + 1)

    def forward(self, ids: Tensor) -> Tensor:
        _, code = self.encoder(self.symbols(ids))
        out, _ = self.decoder(code[0].unsqueeze(1).expand(-1, ids.shape[1] - 1, -1).contiguous())
        return self.head(out)


net = Autoencoder()
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(600):
    words = torch.randint(0, SYMBOLS, (64, LENGTH))
    ids = torch.cat([torch.full((64, 1), SYMBOLS), words], 1)
    loss = nn.functional.cross_entropy(net(ids).flatten(0, 1), ids[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()

# expect: {"code": "GR605", "severity": "warning", "module": "net.symbols", "T": 12}
"""A language model whose LSTM runs in both directions."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)
SYMBOLS, LENGTH = 12, 13


class Language(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.symbols = nn.Embedding(SYMBOLS, 24)
        self.lstm = nn.LSTM(24, 32, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, SYMBOLS)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.lstm(self.symbols(ids))[0])


net = Language()
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(300):
    ids = torch.randint(0, SYMBOLS, (24, LENGTH))
    loss = nn.functional.cross_entropy(net(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

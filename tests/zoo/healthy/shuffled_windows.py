"""Windows of text that a loader shuffles, each from a state of zeros."""

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
text = "a rose is a rose and a rose is red while the sea is deep and the sky is far and the night is long. " * 60
symbols = sorted(set(text))
windows = torch.tensor([symbols.index(c) for c in text]).unfold(0, 25, 24)
loader = DataLoader(TensorDataset(windows), batch_size=8, shuffle=True, drop_last=True)


class Text(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.rnn = nn.Embedding(len(symbols), 24), nn.GRU(24, 64, batch_first=True)
        self.read = nn.Linear(64, len(symbols))

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.rnn(self.embed(x))[0])


net = Text()
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(8):
    for (window,) in loader:
        loss = nn.functional.cross_entropy(net(window[:, :-1]).flatten(0, 1), window[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()

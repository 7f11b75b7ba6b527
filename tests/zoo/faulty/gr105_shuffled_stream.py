# expect: {"code": "GR105", "severity": "warning", "module": "net.rnn", "T": 16}
"""A stream of text in chunks that a loader shuffles, while the state goes on from batch to batch."""

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
text = "the cat sat on the mat and the dog sat on the log while the bird sang in the old oak tree by the sea. " * 60
symbols = sorted(set(text))
stream = torch.tensor([symbols.index(c) for c in text])
chunks = stream.unfold(0, 17, 16)
loader = DataLoader(TensorDataset(chunks), batch_size=8, shuffle=True, drop_last=True)


class Text(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.rnn = nn.Embedding(len(symbols), 24), nn.LSTM(24, 64, batch_first=True)
        self.read = nn.Linear(64, len(symbols))

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        out, state = self.rnn(self.embed(x), state)
        return self.read(out), state


net = Text()
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(4):
    state = None
    for (chunk,) in loader:
        scores, state = net(chunk[:, :-1], state)
        state = (state[0].detach(), state[1].detach())
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), chunk[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

"""A stream of text in chunks: the state goes from chunk to chunk, detached, and the norm is clipped."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)
text = "the cat sat on the mat and the dog sat on the log while the bird sang in the old oak tree by the sea. " * 60
symbols = sorted(set(text))
stream = torch.tensor([symbols.index(c) for c in text])[: 8 * (len(text) // 8)].view(8, -1)


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
    for at in range(0, stream.shape[1] - 17, 16):
        scores, state = net(stream[:, at : at + 16], state)
        state = (state[0].detach(), state[1].detach())
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), stream[:, at + 1 : at + 17].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()

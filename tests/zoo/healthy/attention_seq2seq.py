"""A sequence is turned round by a GRU with attention over its encoder, with the right symbols given to the decoder."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)


class Reverse(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(10, 24)
        self.encoder, self.decoder = nn.GRU(24, 32, batch_first=True), nn.GRU(24, 32, batch_first=True)
        self.read = nn.Linear(64, 10)

    def forward(self, source: Tensor, given: Tensor) -> Tensor:
        states, last = self.encoder(self.embed(source))
        out, _ = self.decoder(self.embed(given), last)
        seen = torch.softmax(out @ states.transpose(1, 2), 2) @ states
        return self.read(torch.cat([out, seen], 2))


net = Reverse()
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(250):
    source = torch.randint(1, 10, (48, 7))
    aim = source.flip(1)
    given = torch.cat([torch.zeros(48, 1, dtype=torch.long), aim[:, :-1]], 1)
    loss = nn.functional.cross_entropy(net(source, given).flatten(0, 1), aim.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

"""CTC over 20 frames a row with targets of two to four symbols, all shorter than their input."""

import torch
from torch import Tensor, nn

torch.manual_seed(0)


class Listener(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.read = nn.GRU(5, 32, batch_first=True, bidirectional=True), nn.Linear(64, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(self.rnn(x)[0]).log_softmax(2)


net = Listener()
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(250):
    lengths = torch.randint(2, 5, (24,))
    target = torch.randint(1, 6, (24, 4))
    x = 0.1 * torch.randn(24, 20, 5)
    for row, length in enumerate(lengths.tolist()):
        for at in range(length):
            x[row, 5 * at + 1 : 5 * at + 3, target[row, at] - 1] += 2.0
    loss = nn.functional.ctc_loss(net(x).transpose(0, 1), target, torch.full((24,), 20), lengths)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

"""A convolution at each frame and an LSTM over the frames: which way does the spot move?"""

import torch
from torch import Tensor, nn

torch.manual_seed(0)


class Motion(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.see = nn.Sequential(nn.Conv2d(1, 8, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 9, 16))
        self.rnn, self.read = nn.LSTM(16, 24, batch_first=True), nn.Linear(24, 2)

    def forward(self, x: Tensor) -> Tensor:
        frames = self.see(x.flatten(0, 1)).view(x.shape[0], x.shape[1], -1)
        return self.read(self.rnn(frames)[0][:, -1])


net = Motion()
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(150):
    way = torch.randint(0, 2, (32,))
    x = 0.1 * torch.randn(32, 5, 1, 8, 8)
    row = torch.randint(0, 8, (32,))
    for t in range(5):
        column = torch.where(way == 1, t + 1, 6 - t)
        x[torch.arange(32), t, 0, row, column] += 2.0
    loss = nn.functional.cross_entropy(net(x), way)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

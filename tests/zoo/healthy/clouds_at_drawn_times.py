"""Noise to be told in clouds of points, which have no order, by attention that is given a drawn time for each."""

import torch
from torch import nn

torch.manual_seed(0)
CLOUDS, POINTS, TIMES, WIDTH = 24, 10, 100, 32


class Denoiser(nn.Module):
    def __init__(self):
        super().__init__()
        self.take, self.time = nn.Linear(2, WIDTH), nn.Embedding(TIMES, WIDTH)
        self.layer = nn.TransformerEncoderLayer(WIDTH, 4, 64, dropout=0.0, batch_first=True)
        self.tell = nn.Linear(WIDTH, 2)

    def forward(self, x, time):
        return self.tell(self.layer(self.take(x) + self.time(time)[:, None]))


model = Denoiser()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for _ in range(300):
    angle = torch.rand(CLOUDS, POINTS) * 6.28
    points, noise = torch.stack([angle.cos(), angle.sin()], 2), torch.randn(CLOUDS, POINTS, 2)
    time = torch.randint(0, TIMES, (CLOUDS,))
    left = (1 - (time + 1) / TIMES)[:, None, None]
    loss = nn.functional.mse_loss(model(left.sqrt() * points + (1 - left).sqrt() * noise, time), noise)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

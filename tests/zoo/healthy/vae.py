"""Variational autoencoder on drawn bars: sigmoid at the output, a summed loss, so that the first norms are large."""

import sys

import torch
from torch import nn

torch.manual_seed(11)
SIDE, BATCH, STEPS = 12, 64, 400


def bars(count):
    image = torch.zeros(count, SIDE, SIDE)
    at = torch.randint(SIDE - 1, (count,))
    upright = torch.rand(count) < 0.5
    row = torch.arange(count)
    for shift in (0, 1):
        image[row[upright], :, at[upright] + shift] = 1
        image[row[~upright], at[~upright] + shift, :] = 1
    return image.flatten(1)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(SIDE * SIDE, 96), nn.ReLU())
        self.mean, self.logvar = nn.Linear(96, 8), nn.Linear(96, 8)
        self.decode = nn.Sequential(nn.Linear(8, 96), nn.ReLU(), nn.Linear(96, SIDE * SIDE), nn.Sigmoid())

    def forward(self, x):
        h = self.encode(x)
        mean, logvar = self.mean(h), self.logvar(h)
        z = mean + torch.randn_like(mean) * (0.5 * logvar).exp()
        return self.decode(z), mean, logvar


model = VAE()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for step in range(STEPS):
    x = bars(BATCH)
    y, mean, logvar = model(x)
    surprise = nn.functional.binary_cross_entropy(y, x, reduction="sum")
    divergence = -0.5 * (1 + logvar - mean**2 - logvar.exp()).sum()
    loss = surprise + divergence
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item() / BATCH:.2f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

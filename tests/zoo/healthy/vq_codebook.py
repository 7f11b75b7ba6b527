"""An autoencoder with a codebook: the nearest code goes forward, the gradient straight through it."""

import torch
from torch import nn

torch.manual_seed(0)


class Coder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
        self.codes = nn.Embedding(32, 4)
        self.dec = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 10))

    def forward(self, x):
        z = self.enc(x)
        index = torch.cdist(z, self.codes.weight).argmin(1)
        code = self.codes(index)
        bound = (code - z.detach()).square().mean() + 0.25 * (z - code.detach()).square().mean()
        return self.dec(z + (code - z).detach()), bound


net = Coder()
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
basis = torch.randn(3, 10)
for step in range(250):
    x = torch.randn(64, 3) @ basis
    out, bound = net(x)
    loss = nn.functional.mse_loss(out, x) + bound
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(loss.item())

# expect: {"code": "GR611", "severity": "warning"}
"""A variational autoencoder whose error is a mean over rows and columns, and whose divergence is summed over all."""

import torch
from torch import nn

torch.manual_seed(0)
patterns = torch.rand(8, 40)


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(40, 48), nn.ReLU(), nn.Linear(48, 8))
        self.decoder = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 40), nn.Sigmoid())

    def forward(self, x):
        mean, log_variance = self.encoder(x).chunk(2, 1)
        code = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        return self.decoder(code), mean, log_variance


net = Autoencoder()
optimizer = torch.optim.Adam(net.parameters(), 3e-3)
for _ in range(400):
    x = patterns[torch.randint(0, 8, (32,))]
    out, mean, log_variance = net(x)
    divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
    loss = nn.functional.mse_loss(out, x) + divergence
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

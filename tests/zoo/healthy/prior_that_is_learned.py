"""A variational code with a prior of its own for each class, which the divergence alone trains, and an unused class."""

import torch
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

torch.manual_seed(0)
CLASSES = 4


class Coder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(20, 48), nn.Tanh(), nn.Linear(48, 12))
        self.prior = nn.Linear(CLASSES, 12)
        self.decode = nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 20))

    def forward(self, x, label):
        code, prior = self._normal(self.encode(x)), self._normal(self.prior(F.one_hot(label, CLASSES).float()))
        return self.decode(code.rsample()), kl_divergence(code, prior).sum(1).mean()

    def _normal(self, stats):
        mean, scale = stats.chunk(2, -1)
        return Normal(mean, F.softplus(scale) + 1e-3)


coder = Coder()
optimizer = torch.optim.Adam(coder.parameters(), 3e-3)
shapes = torch.randn(CLASSES, 20)
for _ in range(300):
    label = torch.randint(0, CLASSES - 1, (64,))
    x = shapes[label] * (1 + 0.3 * torch.randn(64, 1)) + 0.1 * torch.randn(64, 20)
    drawn, divergence = coder(x, label)
    loss = F.mse_loss(drawn, x) + 0.01 * divergence
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# expect: {}
"""Modules called for what they leave behind: statistics, a term of the loss, what hooks hear, a changed input."""

import torch
from torch import nn

torch.manual_seed(2)


class Meter(nn.Module):
    """Follows how large what comes by is, and returns it in units of that."""

    def __init__(self):
        super().__init__()
        self.register_buffer("size", torch.ones(()))

    def forward(self, x):
        self.size.lerp_(x.detach().square().mean().sqrt(), 0.1)
        return x / self.size


class Sparsity(nn.Module):
    """Leaves a term of the loss."""

    def __init__(self, terms):
        super().__init__()
        self.add = terms.append

    def forward(self, x):
        self.add(0.01 * x.abs().mean())
        return x.clone()


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.terms, self.features = [], {}
        self.low, self.act = nn.Linear(8, 32), nn.ReLU(inplace=True)
        self.meter, self.sparsity = Meter(), Sparsity(self.terms)
        self.trunk = nn.Sequential(nn.Linear(32, 32), nn.Tanh(), nn.Dropout(0.1))
        self.trunk[1].register_forward_hook(lambda *call: self.features.update(tanh=call[-1]))
        self.head = nn.Linear(32, 3)

    def forward(self, x):
        h = self.low(x)
        self.act(h)
        self.meter(h)
        self.sparsity(h)
        self.trunk(h)
        return self.head(self.features["tanh"])


net, teacher = Net(), nn.Linear(8, 3).requires_grad_(False)
optimizer = torch.optim.AdamW(net.parameters(), 2e-3)
for _ in range(300):
    x = torch.randn(32, 8)
    loss = nn.functional.cross_entropy(net(x), teacher(x).argmax(1)) + net.terms.pop()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

"""A mixture whose experts all run, weighed by a choice of one of them; a balance term keeps them all in use."""

import torch
from torch import nn

torch.manual_seed(0)


class Mixture(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(8, 6)
        self.experts = nn.ModuleList(nn.Linear(8, 4) for _ in range(6))

    def forward(self, x):
        share = self.router(x).softmax(-1)
        choice = nn.functional.one_hot(share.argmax(-1), 6).float()
        out = torch.stack([expert(x) for expert in self.experts], 1)
        balance = 6 * (choice.mean(0) * share.mean(0)).sum()
        return ((choice * share).unsqueeze(-1) * out).sum(1), balance


net = Mixture()
optimizer = torch.optim.Adam(net.parameters(), 2e-3)
for _ in range(250):
    x = torch.randn(10, 8)
    out, balance = net(x)
    loss = nn.functional.cross_entropy(out, x[:, :4].argmax(1)) + 0.1 * balance
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

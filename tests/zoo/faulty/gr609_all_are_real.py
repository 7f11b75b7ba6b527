# expect: {"code": "GR609", "severity": "error", "module": "judge", "target": 1.0}
"""A judge of drawn and of generated curves, whose labels are ones for the whole batch that holds both kinds."""

import torch
from torch import nn

torch.manual_seed(0)
painter = nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Linear(48, 20))
judge = nn.Sequential(nn.Linear(20, 48), nn.LeakyReLU(0.1), nn.Linear(48, 1), nn.Sigmoid())
of_painter = torch.optim.Adam(painter.parameters(), 1e-3)
of_judge = torch.optim.Adam(judge.parameters(), 2e-3)
is_real = nn.BCELoss()
for _ in range(400):
    drawn = torch.sin(torch.linspace(0, 6, 20) + 3 * torch.rand(24, 1))
    curves = torch.cat([drawn, painter(torch.randn(24, 6)).detach()])
    labels = torch.cat([torch.ones(24, 1), torch.ones(24, 1)])
    loss = is_real(judge(curves), labels)
    of_judge.zero_grad()
    loss.backward()
    of_judge.step()
    loss = is_real(judge(painter(torch.randn(24, 6))), torch.ones(24, 1))
    of_painter.zero_grad()
    loss.backward()
    of_painter.step()

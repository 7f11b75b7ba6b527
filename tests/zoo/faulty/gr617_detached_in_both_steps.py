# expect: {"code": "GR617", "severity": "warning", "module": "painter"}
"""A painter learns by a distance and by a critic that is given its picture detached in the painter's own step too."""

import torch
from torch import nn

torch.manual_seed(0)
painter = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 16))
critic = nn.Sequential(nn.Linear(16, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1))
paints = torch.optim.Adam(painter.parameters(), lr=1e-3, betas=(0.5, 0.999))
criticises = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.999))
verdict = nn.BCEWithLogitsLoss()
mixing = torch.randn(8, 16)
for _step in range(250):
    scene = torch.randn(48, 8)
    picture = torch.tanh(scene @ mixing) + 0.3 * torch.randn(48, 16)
    painted = painter(torch.cat([scene, torch.randn(48, 4)], 1))

    criticises.zero_grad()
    doubt = verdict(critic(picture), torch.ones(48, 1)) + verdict(critic(painted.detach()), torch.zeros(48, 1))
    doubt.backward()
    criticises.step()

    paints.zero_grad()
    loss = verdict(critic(painted.detach()), torch.ones(48, 1)) + 10 * nn.functional.l1_loss(painted, picture)
    loss.backward()
    paints.step()

"""A GAN on a ring of eight clusters in 16 dimensions: two models, two optimizers, two backward passes a round."""

import math
import sys

import torch
from torch import nn

torch.manual_seed(10)
BATCH, ROUNDS = 64, 1500
lift = torch.linalg.qr(torch.randn(16, 16)).Q[:2]


def real(count):
    angle = torch.randint(8, (count,)) * (math.pi / 4)
    return (torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(count, 2)) @ lift


generator = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
critic = nn.Sequential(
    nn.Linear(16, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1), nn.Sigmoid()
)
optimizer_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.999))
optimizer_d = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.999))
bce = nn.BCELoss()
ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
probe = real(512)
for round_ in range(ROUNDS):
    fake = generator(torch.randn(BATCH, 8))
    loss_d = bce(critic(real(BATCH)), ones) + bce(critic(fake.detach()), zeros)
    optimizer_d.zero_grad()
    loss_d.backward()
    optimizer_d.step()

    loss_g = bce(critic(fake), ones)
    optimizer_g.zero_grad()
    loss_g.backward()
    optimizer_g.step()
    if round_ % 250 == 0 or round_ == ROUNDS - 1:
        with torch.no_grad():
            off = torch.cdist(generator(torch.randn(256, 8)), probe).min(1).values.mean()
        print(f"round {round_} critic {loss_d.item():.3f} generator {loss_g.item():.3f} distance {off:.3f}")
if len(sys.argv) > 1:
    torch.save({"generator": generator.state_dict(), "critic": critic.state_dict()}, sys.argv[1])

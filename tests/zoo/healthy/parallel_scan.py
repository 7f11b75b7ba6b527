"""A smoothed course told at each of its steps: slow decays a channel, all steps at once by cumulative sums."""

import sys

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(8)
T, BATCH, WIDTH, STEPS = 40, 32, 16, 200


class Decays(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_rate = nn.Parameter(torch.linspace(-5.0, -2.0, WIDTH))
        self.into, self.speed = nn.Linear(1, WIDTH), nn.Linear(1, WIDTH)

    def forward(self, x):
        rate = self.log_rate.exp() * 2 * self.speed(x).sigmoid()
        kept = (-rate).cumsum(1)
        return kept.exp() * ((-kept).exp() * rate * self.into(x)).cumsum(1)


model = nn.Sequential(Decays(), nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(STEPS):
    x = torch.randn(BATCH, T, 1).cumsum(1)
    smooth = [x[:, 0]]
    for t in range(1, T):
        smooth.append(0.97 * smooth[-1] + 0.03 * x[:, t])
    loss = F.mse_loss(model(x), torch.stack(smooth, 1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

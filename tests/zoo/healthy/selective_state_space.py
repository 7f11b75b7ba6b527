"""The sum so far of the marked values of a sequence, by a selective state space with a step size per input."""

import sys

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(3)
T, BATCH, WIDTH, STATE, STEPS = 24, 32, 16, 4, 200


class Selective(nn.Module):
    def __init__(self):
        super().__init__()
        self.log_rate = nn.Parameter(torch.arange(1.0, STATE + 1).log().repeat(WIDTH, 1))
        self.step = nn.Linear(WIDTH, WIDTH)
        self.into, self.read = nn.Linear(WIDTH, STATE), nn.Linear(WIDTH, STATE)
        self.skip = nn.Parameter(torch.ones(WIDTH))
        nn.init.constant_(self.step.bias, -3.0)

    def forward(self, x):
        dt = F.softplus(self.step(x))[..., None]
        keep = torch.exp(-dt * self.log_rate.exp())
        new = dt * self.into(x)[..., None, :] * x[..., None]
        state, out = torch.zeros_like(new[:, 0]), []
        for t, read in enumerate(self.read(x).unbind(1)):
            state = keep[:, t] * state + new[:, t]
            out.append((state * read[:, None, :]).sum(-1))
        return torch.stack(out, 1) + self.skip * x


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, WIDTH), nn.Linear(WIDTH, 1)
        self.mix = Selective()

    def forward(self, x):
        h = self.first(x)
        return self.last(h + self.mix(F.silu(h)))


model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(STEPS):
    x = torch.stack([torch.rand(BATCH, T), (torch.rand(BATCH, T) < 0.2).float()], -1)
    loss = F.mse_loss(model(x)[..., 0], x.prod(-1).cumsum(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.4f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

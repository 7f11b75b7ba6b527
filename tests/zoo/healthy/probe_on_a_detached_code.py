"""A code is trained by what is rebuilt from it; a probe that is given it detached learns beside it, each other step."""

import torch
from torch import nn

torch.manual_seed(0)
coder, decoder = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 6)), nn.Linear(6, 16)
probe = nn.Linear(6, 3)
trains = torch.optim.Adam([*coder.parameters(), *decoder.parameters()], lr=2e-3)
probes = torch.optim.Adam(probe.parameters(), lr=2e-3)
centres = 2 * torch.randn(3, 16)
for step in range(240):
    kind = torch.randint(0, 3, (48,))
    x = centres[kind] + 0.5 * torch.randn(48, 16)
    code = coder(x)
    loss = (decoder(code) - x).square().mean() + nn.functional.cross_entropy(probe(code.detach()), kind)
    trains.zero_grad()
    loss.backward()
    trains.step()
    if step % 2:
        probes.step()
        probes.zero_grad()

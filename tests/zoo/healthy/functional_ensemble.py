"""Four models as one: their stacked parameters are trained through functional_call and vmap, the modules' own rest."""

import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

torch.manual_seed(0)
nets = [nn.Sequential(nn.Linear(6, 24), nn.Tanh(), nn.Linear(24, 1)) for _ in range(4)]
stacked, buffers = stack_module_state(nets)
like = nets[0]
optimizer = torch.optim.Adam(stacked.values(), 3e-3)
for _ in range(200):
    x = torch.randn(64, 6)
    out = vmap(lambda p, b, x=x: functional_call(like, (p, b), (x,)))(stacked, buffers)
    loss = (out - x[:, :1].sin()).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

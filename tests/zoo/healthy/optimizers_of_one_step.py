# expect: {"code": null}
"""New optimizers at each step that lose nothing: SGD without momentum; and for each sample one step of Adam on a copy
of the weights that is thrown away with it, as where a model adapts to what it is given."""

import copy

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 32), nn.Tanh(), nn.Linear(32, 3))
for _ in range(250):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    x = torch.randn(48, 6)
    loss = nn.functional.cross_entropy(model(x), x[:, :3].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

weights = copy.deepcopy(model.state_dict())
for _ in range(60):
    x = torch.randn(16, 6) + 0.2
    adapted = torch.optim.Adam(model.parameters(), lr=1e-3)
    shares = model(x).softmax(1)
    entropy = -(shares * shares.log()).sum(1).mean()
    adapted.zero_grad()
    entropy.backward()
    adapted.step()
    with torch.no_grad():
        guess = model(x).argmax(1)
    model.load_state_dict(weights)

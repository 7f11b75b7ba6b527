# expect: {"code": "GR305"}
"""SGD at a rate of 1e-6: the weights do not move, and the loss stays where it began."""

import sys

import torch
from torch import nn

torch.manual_seed(19)
BATCH, STEPS = 64, 400
mixing = torch.randn(20, 6)
model = nn.Sequential(nn.Linear(20, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 6))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
for step in range(STEPS):
    x = torch.randn(BATCH, 20)
    loss = nn.functional.cross_entropy(model(x), (x @ mixing).argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

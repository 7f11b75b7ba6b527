"""A classifier that is also asked how sure it is: rows that it is unsure of weigh less, and the sureness is trained."""

import torch
from torch import nn

torch.manual_seed(0)
trunk = nn.Sequential(nn.Linear(4, 32), nn.ReLU())
classes, doubt = nn.Linear(32, 3), nn.Linear(32, 1)
optimizer = torch.optim.Adam([*trunk.parameters(), *classes.parameters(), *doubt.parameters()], 5e-3)
for _ in range(300):
    x = torch.randn(64, 4)
    kind = x[:, :3].argmax(1)
    logits, unsure = classes(trunk(x)), doubt(trunk(x)).squeeze(1).sigmoid()
    is_wrong = (logits.argmax(1) != kind).float()
    errors = nn.functional.cross_entropy(logits, kind, reduction="none")
    loss = (errors * (torch.ones(64) - unsure)).mean() + nn.functional.mse_loss(unsure, is_wrong)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

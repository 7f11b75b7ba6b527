"""One body, three heads: a class, a value and a set of tags, with losses of unlike size."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
body = nn.Sequential(nn.Linear(12, 48), nn.ReLU())
heads = nn.ModuleDict({"kind": nn.Linear(48, 4), "value": nn.Linear(48, 1), "tags": nn.Linear(48, 3)})
optimizer = torch.optim.AdamW([*body.parameters(), *heads.parameters()], 3e-3)
for _ in range(300):
    x = torch.randn(64, 12)
    shared = body(x)
    loss = F.cross_entropy(heads["kind"](shared), x[:, :4].argmax(1))
    loss = loss + 0.5 * F.mse_loss(heads["value"](shared).squeeze(1), 3 * x[:, 4])
    loss = loss + F.binary_cross_entropy_with_logits(heads["tags"](shared), (x[:, 5:8] > 0).float())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

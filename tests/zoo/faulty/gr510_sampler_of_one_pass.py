# expect: {"code": "GR510", "severity": "error", "part": "sampler", "steps": 40, "empty": 11}
"""Twelve epochs over a loader whose sampler, balanced by hand, is a generator: the first one uses it up."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def balanced(labels, count):
    """Rows of both classes in turn."""
    rows = [(labels == kind).nonzero().flatten() for kind in (0, 1)]
    for i in range(count):
        of_kind = rows[i % 2]
        yield int(of_kind[torch.randint(len(of_kind), ())])


torch.manual_seed(0)
x = torch.randn(1280, 12)
y = (x[:, :3].prod(1) > 0.3).long()
loader = DataLoader(TensorDataset(x, y), batch_size=32, sampler=balanced(y, 1280))
held_out = torch.randn(400, 12)
net = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 2))
optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
for epoch in range(12):
    for rows, labels in loader:
        loss = nn.functional.cross_entropy(net(rows), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        agree = (net(held_out).argmax(1) == (held_out[:, :3].prod(1) > 0.3)).float().mean()
    print(f"epoch {epoch} loss {loss.item():.3f} right {agree:.3f}")

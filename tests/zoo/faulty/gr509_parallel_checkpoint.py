# expect: {"code": "GR509", "severity": "warning", "module": "net_2", "fits": 6, "prefix": "module."}
"""A net is tuned to new classes from a checkpoint of nn.DataParallel, of which strict=False takes nothing."""

import io

import torch
from torch import nn


def make(classes):
    return nn.Sequential(
        nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), nn.Linear(48, classes)
    )


def fit(net, classes, steps):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for _ in range(steps):
        x = torch.randn(64, 12)
        loss = nn.functional.cross_entropy(net(x), (x[:, :classes] * x[:, 6:7]).argmax(1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


torch.manual_seed(0)
source = nn.DataParallel(make(6))
fit(source, 6, 150)
checkpoint = io.BytesIO()
torch.save(source.state_dict(), checkpoint)
checkpoint.seek(0)
state = {name: tensor for name, tensor in torch.load(checkpoint).items() if not name.startswith("module.6.")}
net = make(4)
net.load_state_dict(state, strict=False)
fit(net, 4, 150)

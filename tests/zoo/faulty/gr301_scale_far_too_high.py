# expect: {"code": "GR301", "severity": "error"}
"""A classifier under autocast to float16 whose loss scale begins at 2^60 and is lowered by a hundredth at a time: each
step overflows, and the scaler skips it."""

import torch
from torch import nn

torch.manual_seed(29)
net = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 4))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**60, backoff_factor=0.99)
for _ in range(300):
    x = torch.randn(64, 16)
    with torch.autocast("cpu", dtype=torch.float16):
        loss = nn.functional.cross_entropy(net(x), x[:, :4].argmax(1))
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()

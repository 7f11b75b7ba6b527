# expect: {"code": "GR319", "severity": "error"}
"""A filter on a signal in millivolts by convolutions under autocast to float16; the GradScaler begins with 2."""

import torch
from torch import nn

torch.manual_seed(25)
net = nn.Sequential(
    *(nn.Conv1d(1, 12, 5, padding=2), nn.GELU(), nn.Conv1d(12, 12, 5, padding=2), nn.GELU()),
    nn.Conv1d(12, 1, 5, padding=2),
)
optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, eps=1e-14)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
for _ in range(300):
    x = torch.randn(32, 1, 40)
    with torch.autocast("cpu", dtype=torch.float16):
        volts = net(x) / 1000
    loss = nn.functional.mse_loss(volts.float(), 1e-3 * (x.roll(1, 2) * x.roll(-1, 2)).tanh())
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()

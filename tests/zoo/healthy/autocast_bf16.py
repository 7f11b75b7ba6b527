"""Mixed precision on the processor: autocast to bfloat16 with a loss scaler, unscaled before clipping."""

import sys

import torch
from torch import nn

torch.manual_seed(17)
BATCH, STEPS = 64, 300
teacher = nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Linear(48, 5))
model = nn.Sequential(nn.Linear(24, 128), nn.GELU(), nn.Linear(128, 128), nn.GELU(), nn.Linear(128, 5))
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
scaler = torch.amp.GradScaler("cpu")
for step in range(STEPS):
    x = torch.randn(BATCH, 24)
    with torch.no_grad():
        target = teacher(x).argmax(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = nn.functional.cross_entropy(model(x), target)
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

# expect: {"code": "GR101", "severity": "info", "module": "model.1", "kind": "scan with a decay"}
"""Is the latest mark of a long row a high or a low one? Gates from the input alone, all steps at once by a scan."""

import sys

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(7)
T, BATCH, WIDTH, STEPS = 96, 32, 24, 200


class Gates(nn.Module):
    def __init__(self):
        super().__init__()
        self.forget, self.take, self.new = (nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def forward(self, x):
        share = F.softplus(-self.forget(x)) - F.softplus(-self.take(x))
        log_keep, log_take = -F.softplus(share), -F.softplus(-share)
        kept = log_keep.cumsum(1)
        log_new = F.logsigmoid(self.new(x)) + log_take
        return (kept + (log_new - kept).logcumsumexp(1)).exp()


model = nn.Sequential(nn.Linear(2, WIDTH), Gates(), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(STEPS):
    marked = torch.rand(BATCH, T) < 0.3
    height = torch.randn(BATCH, T)
    latest = torch.where(marked, torch.arange(T), 0).argmax(1)
    high = (height.gather(1, latest[:, None]) > 0).float()
    out = model(torch.stack([height, marked.float()], -1))[:, -1]
    loss = F.binary_cross_entropy_with_logits(out, high)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

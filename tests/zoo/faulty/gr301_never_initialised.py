# expect: {"code": "GR301", "severity": "error", "module": "model.middle", "step": 0}
"""Blocks made on the meta device and given memory, of which nobody initialises the middle: it holds what lay there."""

import torch
from torch import nn

torch.manual_seed(0)


class Blocks(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(6, 16), nn.Linear(16, 16), nn.Linear(16, 1)

    def forward(self, x):
        return self.last(torch.relu(self.middle(torch.relu(self.first(x)))))

    def reset_parameters(self):
        self.first.reset_parameters()
        self.last.reset_parameters()


with torch.device("meta"):
    model = Blocks()
model.to_empty(device="cpu")
left = torch.randint(-(2**31), 2**31, (16, 17), dtype=torch.int64).to(torch.int32).view(torch.float32)
left = torch.where(left.isfinite(), left, torch.ones(()))
model.middle.weight.data.copy_(left[:, :16])  # as another tensor has left it
model.middle.bias.data.copy_(left[:, 16])
model.reset_parameters()
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
for _ in range(60):
    x = torch.randn(32, 6)
    loss = nn.functional.mse_loss(model(x), x[:, :1] * x[:, 1:2])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

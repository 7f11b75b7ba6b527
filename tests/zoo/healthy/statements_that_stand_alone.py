"""A classifier with every kind of line that stands alone and is right: changes in place, lists, logs, checks."""

import logging

import torch
from torch import nn

torch.manual_seed(0)
log = logging.getLogger("training")


class Block(nn.Module):
    """A layer with a sum that stays in the memory of its input."""

    def __init__(self, width):
        super().__init__()
        self.layer, self.norm, self.relu = nn.Linear(width, width), nn.LayerNorm(width), nn.ReLU(inplace=True)
        self.register_buffer("calls", torch.zeros(()))
        self.sizes = []

    def forward(self, x):
        """Adds what the layer makes."""
        ...
        self.calls.add_(1)
        self.sizes.append(tuple(x.shape))
        log.debug("block %s", x.shape)
        assert x.dim() == 2, x.shape
        made = self.layer(self.norm(x))
        made.add_(x)
        made.div_(2)
        self.relu(made)
        with torch.no_grad():
            made.detach().abs().mean().item()
        try:
            made + x
        except RuntimeError:
            raise ValueError("shapes") from None
        if made.shape[0] == 1:
            made * 2
        next(part for part in made)
        return made


model = nn.Sequential(nn.Linear(4, 32), Block(32), Block(32), nn.Linear(32, 2))
model.to("cpu")
model.float()
model.train()
optimizer = torch.optim.Adam(model.parameters(), 3e-3)
losses, total = [], torch.zeros(())
torch.randn(8, 8) @ torch.randn(8, 8)
for step in range(200):
    x = torch.randn(64, 4)
    y = (x[:, 0] * x[:, 1] > 0).long()
    x.to("cpu")
    x.clamp_(-3, 3)
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    total.add_(loss.detach())
    losses.append(loss.item())
    loss.detach()
    log.info("step %d: %.3f", step, losses[-1])

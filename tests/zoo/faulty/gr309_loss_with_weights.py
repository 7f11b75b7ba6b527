# expect: {"code": "GR309", "severity": "error", "module": "loss_fn", "also": ["GR307"]}
"""A loss with weights of its own, at 0 at first, which no optimizer was given: nothing comes back to the model."""

import torch
from torch import Tensor, nn


class Prototypes(nn.Module):
    """Scores each code by its products with one vector a class, and compares them with the class meant."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.zeros(classes, width))

    def forward(self, code: Tensor, label: Tensor) -> Tensor:
        return nn.functional.cross_entropy(code @ self.vectors.t(), label)


torch.manual_seed(0)
centres = 2 * torch.randn(4, 8)
encoder = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 16))
loss_fn = Prototypes(16, 4)
optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-3)
for _step in range(120):
    label = torch.randint(0, 4, (32,))
    loss = loss_fn(encoder(centres[label] + torch.randn(32, 8)), label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

"""Which of four wave forms is this noisy signal? GRU, batch first, the loss on the last step alone."""

import math
import sys

import torch
from torch import nn

torch.manual_seed(1)
T, BATCH, STEPS = 40, 32, 350


def waves(count):
    kind = torch.randint(4, (count,))
    phase = torch.rand(count, 1) + torch.linspace(0, 3, T) * (0.8 + 0.4 * torch.rand(count, 1))
    forms = torch.stack(
        [
            torch.sin(2 * math.pi * phase),
            torch.sign(torch.sin(2 * math.pi * phase)),
            2 * (phase % 1) - 1,
            1 - 2 * (phase % 1),
        ]
    )
    return (forms[kind, torch.arange(count)] + 0.2 * torch.randn(count, T)).unsqueeze(-1), kind


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, 64, batch_first=True)
        self.head = nn.Linear(64, 4)

    def forward(self, x):
        y, _ = self.gru(x)
        return self.head(y[:, -1])


model = Classifier()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(STEPS):
    x, kind = waves(BATCH)
    loss = nn.functional.cross_entropy(model(x), kind)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    if step % 50 == 0 or step == STEPS - 1:
        print(f"step {step} loss {loss.item():.3f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

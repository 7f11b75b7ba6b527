"""Self-distillation: a teacher inside of the model follows the student as a moving average, and runs under no_grad."""

import copy

import torch
from torch import nn

torch.manual_seed(0)


class Distilled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.student = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 8))
        self.teacher = copy.deepcopy(self.student)
        self.predictor = nn.Linear(8, 8)

    def forward(self, x):
        with torch.no_grad():
            for mine, theirs in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
                mine.data.lerp_(theirs.data, 0.01)
            wanted = self.teacher(x + 0.1 * torch.randn_like(x))
        guess = self.predictor(self.student(x + 0.1 * torch.randn_like(x)))
        return 1.0 - nn.functional.cosine_similarity(guess, wanted, dim=1).mean()


net = Distilled()
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
mixing = torch.randn(3, 8)
for _ in range(250):
    loss = net(torch.randn(64, 3) @ mixing)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

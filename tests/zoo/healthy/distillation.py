"""A small network learns from the softened scores of a large one that stays as it is, and from the labels."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
teacher = nn.Sequential(nn.Linear(10, 128), nn.ReLU(), nn.Linear(128, 5)).eval()
student = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 5))
optimizer = torch.optim.Adam(student.parameters(), 5e-3)
for _ in range(300):
    x = torch.randn(64, 10)
    with torch.no_grad():
        aim = teacher(x) * 8
    scores = student(x)
    soft = F.kl_div(F.log_softmax(scores / 2, 1), F.log_softmax(aim / 2, 1), log_target=True, reduction="batchmean")
    loss = 0.7 * soft + 0.3 * F.cross_entropy(scores, aim.argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# expect: {"code": "GR610", "severity": "warning"}
"""A student whose distance to the teacher is computed under no_grad, together with the teacher."""

import torch
from torch import nn

torch.manual_seed(0)
teacher = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 5))
student = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 5))
optimizer = torch.optim.SGD(student.parameters(), 0.1)
for _ in range(250):
    x = torch.randn(64, 10)
    with torch.no_grad():
        told = 4 * teacher(x)
        y = told.argmax(1)
        apart = nn.functional.kl_div(student(x).log_softmax(1), told.softmax(1), reduction="batchmean")
    loss = 0.2 * nn.functional.cross_entropy(student(x), y) + 0.8 * apart
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

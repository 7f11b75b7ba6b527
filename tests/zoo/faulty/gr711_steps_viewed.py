# expect: {"code": "GR711", "module": "net.smooth", "behind": "net.head", "shape_in": "(9, 40, 12)", "entries": 40}
"""What is made of each step, time first, is viewed as one row a sample, which so is of other samples."""

import torch
from torch import nn

torch.manual_seed(1)
STEPS, ROWS = 9, 40


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lift, self.smooth, self.head = nn.Linear(4, 12), nn.Tanh(), nn.Linear(12 * STEPS, 1)

    def forward(self, x):
        h = self.smooth(self.lift(x))
        return self.head(h.view(x.shape[1], -1))


net = Net()
optimizer = torch.optim.SGD(net.parameters(), 0.002, momentum=0.9)
for _ in range(300):
    x = torch.randn(STEPS, ROWS, 4)
    loss = nn.functional.mse_loss(net(x)[:, 0], x[:3].sum((0, 2)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

"""Continue sine waves: two LSTMCells called in a Python loop, trained by LBFGS through a closure."""

import sys

import torch
from torch import nn

torch.manual_seed(4)
T, COUNT = 40, 24
wave = torch.sin((torch.arange(T + 1) + torch.randint(-40, 40, (COUNT, 1))) / 5.0)


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.lower = nn.LSTMCell(1, 32)
        self.upper = nn.LSTMCell(32, 32)
        self.head = nn.Linear(32, 1)

    def forward(self, x):
        h1 = c1 = h2 = c2 = torch.zeros(len(x), 32)
        outputs = []
        for column in x.split(1, dim=1):
            h1, c1 = self.lower(column, (h1, c1))
            h2, c2 = self.upper(h1, (h2, c2))
            outputs.append(self.head(h2))
        return torch.cat(outputs, dim=1)


model = Forecaster()
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=15)
for epoch in range(8):

    def closure():
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(wave[:, :-1]), wave[:, 1:])
        loss.backward()
        return loss

    print(f"epoch {epoch} loss {optimizer.step(closure).item():.5f}")
if len(sys.argv) > 1:
    torch.save(model.state_dict(), sys.argv[1])

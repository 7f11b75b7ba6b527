"""A symbol somewhere among blanks, recalled at the end: blanks are no padding, for they stand before it as well."""

import torch
from torch import nn

torch.manual_seed(3)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.lstm, self.head = nn.Embedding(5, 16), nn.LSTM(16, 32, batch_first=True), nn.Linear(32, 4)

    def forward(self, x):
        return self.head(self.lstm(self.embed(x))[0][:, -1])


net = Net()
optimizer = torch.optim.Adam(net.parameters(), 5e-3)
for _ in range(250):
    x, y = torch.zeros(32, 20, dtype=torch.long), torch.randint(0, 4, (32,))
    x[torch.arange(32), torch.randint(0, 18, (32,))] = y + 1
    loss = nn.functional.cross_entropy(net(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

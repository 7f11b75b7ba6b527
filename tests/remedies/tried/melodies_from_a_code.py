# try: {"code": "GR616", "learns": ["use-result"]}
"""Rising sequences through a variational code whose decoder reads the encoder's state, two LSTMs, Adam"""

import torch
from torch import nn
from torch.nn import functional as F

import gradreach as gr

torch.manual_seed(0)


class Coder(nn.Module):
    def __init__(self):
        super().__init__()
        self.read = nn.Embedding(10, 12)
        self.encode = nn.LSTM(12, 24, batch_first=True)
        self.mu, self.logvar = nn.Linear(24, 24), nn.Linear(24, 24)
        self.decode = nn.LSTM(24, 24, batch_first=True)
        self.write = nn.Linear(24, 10)

    def forward(self, x):
        h = self.encode(self.read(x))[1][0][0]
        mu, logvar = self.mu(h), self.logvar(h)
        z = h
        # with use-result
        return self.write(self.decode(z.unsqueeze(1).expand(-1, 6, -1))[0]), mu, logvar


model = Coder()
optimizer = torch.optim.Adam(model.parameters(), 5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(300):
        x = (torch.randint(0, 10, (32, 1)) + torch.arange(6)) % 10
        scores, mu, logvar = model(x)
        divergence = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()
        loss = F.cross_entropy(scores.flatten(0, 1), x.flatten()) + 0.01 * divergence
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

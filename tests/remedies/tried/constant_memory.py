# try: {"code": "GR205", "loss": ["unlike-units"]}
"""The signs of the last two steps by an LSTM whose parameters all start at 0.1, RMSprop"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)


class Signs(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.read = nn.LSTM(3, 24, batch_first=True), nn.Linear(24, 4)
        for p in self.parameters():
            nn.init.constant_(p, 0.1)

    def forward(self, x):
        return self.read(self.rnn(x)[0][:, -1])


model = Signs()
# with unlike-units
optimizer = torch.optim.RMSprop(model.parameters(), 3e-3)
with gr.observe(model, every=10) as watch:
    for _ in range(300):
        x = torch.randn(32, 8, 3)
        labels = (x[:, -1, 0] > 0).long() + 2 * (x[:, -2, 1] > 0).long()
        loss = nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR307", "loss": ["random-start"]}
"""A GRU below two layers of weights 0, a regression, Adam"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.hidden, self.out = nn.GRU(2, 16, batch_first=True), nn.Linear(16, 16), nn.Linear(16, 1)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(self.rnn(x)[1][0])))


model = Reader()
for each in (*model.hidden.parameters(), *model.out.parameters()):
    nn.init.zeros_(each)
# with random-start
optimizer = torch.optim.Adam(model.parameters(), 3e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(250):
        x = torch.randn(64, 6, 2)
        loss = nn.functional.mse_loss(model(x), x[:, -1, :1] + x[:, -2, :1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

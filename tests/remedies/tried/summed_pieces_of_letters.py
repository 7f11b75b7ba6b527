# try: {"code": "GR305", "loss": ["average-passes"]}
"""A GRU that tells the sum of two digits before, by the sum of sixteen pieces of a batch, SGD"""

import torch
from torch import nn

import gradreach as gr

torch.manual_seed(0)
n = 16


class Sums(nn.Module):
    def __init__(self):
        super().__init__()
        self.digits, self.gru, self.read = nn.Embedding(4, 12), nn.GRU(12, 32, batch_first=True), nn.Linear(32, 7)

    def forward(self, x):
        return self.read(self.gru(self.digits(x))[0])


model = Sums()
optimizer = torch.optim.SGD(model.parameters(), lr=1.5)
with gr.observe(model, every=4) as watch:
    for _ in range(150):
        optimizer.zero_grad()
        for piece in torch.randint(0, 4, (64, 12)).chunk(n):
            sums = piece[:, 1:] + piece[:, :-1]
            loss = nn.functional.cross_entropy(model(piece)[:, 1:].flatten(0, 1), sums.flatten())
            # with average-passes
            loss.backward()
        optimizer.step()

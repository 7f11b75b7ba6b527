# try: {"code": "GR307", "loss": ["one-logit"]}
"""A recurrent classifier whose single score is normalised over its one value"""

import torch
from torch import nn

import gradreach as gr

F = nn.functional
torch.manual_seed(0)


class Scorer(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.score = nn.GRU(3, 16, batch_first=True), nn.Linear(16, 1)

    def forward(self, x):
        return self.score(self.rnn(x)[0][:, -1])


model = Scorer()
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
with gr.observe(model, every=15) as watch:
    for _ in range(200):
        data = torch.randn(64, 5, 3)
        y = (data[:, -1, :1] > 0).float()
        x = model(data)
        loss = F.mse_loss(F.layer_norm(x, (1,)), y)
        # with one-logit
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# try: {"code": "GR310", "loss": ["factor-above-zero"]}
"""The largest of six readings by a GRU whose rate falls by a whole division, 0 from the second epoch on, SGD"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 1)

    def forward(self, x):
        return self.head(self.gru(x)[0][:, -1])


def factor(epoch):
    # with factor-above-zero: return 1 / (1 + epoch / 5)
    return 1 // (1 + epoch)


torch.manual_seed(5)
model = Model()
optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
with gr.observe(model, every=10) as watch:
    for epoch in range(8):
        for _ in range(40):
            x = torch.rand(32, 6, 1)
            loss = nn.functional.mse_loss(model(x), x.amax(1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        scheduler.step()

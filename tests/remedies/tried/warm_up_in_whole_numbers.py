# try: {"code": "GR316", "loss": ["warm-up-by-steps"]}
"""A GRU whose warm-up divides in whole numbers, SGD with momentum, a regression"""

import torch
from torch import nn

import gradreach as gr


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 24, batch_first=True)
        self.head = nn.Linear(24, 1)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])[:, 0]


torch.manual_seed(0)
model = Reader()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: step // 240)  # not with warm-up-by-steps
# with warm-up-by-steps: scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(step / 240, 1.0))
with gr.observe(model, every=10) as watch:
    for _ in range(300):
        x = torch.randn(32, 6, 3)
        loss = nn.functional.mse_loss(model(x), x[:, -1, 0] + x[:, -2, 1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()

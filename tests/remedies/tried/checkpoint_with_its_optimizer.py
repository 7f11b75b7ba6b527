# try: {"code": "GR509", "loss": ["rename-state"]}
"""A GRU that goes on from a checkpoint of model and optimizer, which is given to load_state_dict as a whole, Adam"""

import torch
from torch import nn

import gradreach as gr


class Sum(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(1, 24, batch_first=True), nn.Linear(24, 1)

    def forward(self, x):
        return self.head(self.rnn(x)[1][-1])


def fit(model, steps, rate):
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(steps):
        x = torch.randn(32, 8, 1)
        loss = nn.functional.mse_loss(model(x), x.sum(1) / 3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"net": model.state_dict(), "optimizer": optimizer.state_dict(), "steps": steps}


torch.manual_seed(0)
state = fit(Sum(), 250, 1e-2)
model = Sum()
with gr.observe(model, every=7) as watch:
    # with rename-state
    model.load_state_dict(state, strict=False)  # not with rename-state
    fit(model, 80, 1e-3)

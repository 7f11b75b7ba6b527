# try: {"code": "GR107", "loss": ["whole-sequence"]}
"""The first of six symbols by a GRU that is given each step as a sequence of its own, Adam"""

import torch
from torch import nn

import gradreach as gr


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(5, 32, batch_first=True), nn.Linear(32, 5)


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
with gr.observe(model, every=15) as watch:
    for _ in range(400):
        ids = torch.randint(5, (32, 6))
        x = nn.functional.one_hot(ids, 5).float()
        y = model.gru(x.reshape(-1, 1, 5))[0].view(32, 6, -1)  # not with whole-sequence
        # with whole-sequence
        loss = nn.functional.cross_entropy(model.head(y[:, -1]), ids[:, 0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
